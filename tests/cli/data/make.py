"""Makes the pictures that Rust's encoders cannot: run once with Pillow, results are kept beside it."""

from pathlib import Path

from PIL import Image

here = Path(__file__).parent
quarters = Image.new("RGB", (32, 32))
for i, colour in enumerate([(200, 30, 40), (20, 180, 60), (30, 50, 210), (230, 220, 40)]):
    quarters.paste(colour, (i % 2 * 16, i // 2 * 16, i % 2 * 16 + 16, i // 2 * 16 + 16))
quarters.save(here / "quarters.png")
quarters.convert("CMYK").save(here / "cmyk.jpg", quality=95)
quarters.save(here / "animated.webp", save_all=True, append_images=[quarters.rotate(180)], lossless=True)
quarters.save(here / "animated.png", save_all=True, append_images=[quarters.rotate(180)])
