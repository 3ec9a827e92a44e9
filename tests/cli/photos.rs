//! INPUT as a photo: every kind of file a person may have, and every kind that is none.

use crate::common::{Bench, tiny};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPEncoder;
use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageEncoder, Rgb, RgbImage, RgbaImage};
use std::io::Cursor;

/// conv1's activation: it changes with any pixel.
fn seen(bench: &Bench, name: &str, bytes: &[u8]) -> Vec<f32> {
    bench.write(name, bytes);
    bench.text(&format!("run tiny {name} --layer conv1 --output y.npy"));
    bench.array("y.npy").values
}

fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Cursor::new(vec![]);
    image.into().write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn quarters(bench: &Bench) -> RgbImage {
    image::load_from_memory(&bench.data("quarters.png")).unwrap().into_rgb8()
}

fn apart(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

/// A TIFF block with nothing but the orientation.
fn exif(orientation: u8) -> Vec<u8> {
    let mut b = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    b.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    b
}

/// What a camera stores so that showing it with `orientation` gives `upright`.
fn stored(upright: &RgbImage, orientation: u8) -> RgbImage {
    let back = [1, 2, 3, 4, 5, 8, 7, 6][usize::from(orientation) - 1];
    let mut image = DynamicImage::from(upright.clone());
    image.apply_orientation(Orientation::from_exif(back).unwrap());
    image.into_rgb8()
}

#[test]
fn all_orientations_give_the_same_tensor() {
    let bench = Bench::new();
    // 32×48, so that a forgotten turn also changes the crop; constant blocks survive JPEG alike.
    let upright = RgbImage::from_fn(32, 48, |x, y| Rgb([(x / 16 * 90) as u8, (y / 16 * 80) as u8, 60]));
    let plain = seen(&bench, "photo.png", &png(upright.clone()));
    let mut jpegs = vec![];
    for orientation in 1..=8 {
        let image = stored(&upright, orientation);
        let (w, h) = image.dimensions();
        let mut webp = vec![];
        let mut encoder = WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&image, w, h, ExtendedColorType::Rgb8).unwrap();
        assert_eq!(seen(&bench, "photo.webp", &webp), plain, "webp {orientation}");
        let mut jpeg = vec![];
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 95);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder.write_image(&image, w, h, ExtendedColorType::Rgb8).unwrap();
        jpegs.push(seen(&bench, "photo.jpg", &jpeg));
    }
    for (i, values) in jpegs.iter().enumerate() {
        assert_eq!(values, &jpegs[0], "jpeg {}", i + 1);
    }
    assert!(apart(&jpegs[0], &plain) < 0.5);
}

#[test]
fn a_photo_is_prepared_as_the_library_prepares_it() {
    let bench = Bench::new();
    let image = RgbImage::from_fn(50, 37, |x, y| Rgb([(x * 5) as u8, (y * 6) as u8, ((x * y) % 251) as u8]));
    let rgba = DynamicImage::from(image.clone()).into_rgba8().into_raw();
    let picture = unpool::image::Picture::new(50, 37, rgba).unwrap();
    let input = tiny(true).spec.input;
    let (tensor, crop) = unpool::image::prepare(&picture, &input).unwrap();
    bench.save("x.npy", &[3, 16, 16], tensor.data());
    bench.text("run tiny x.npy --layer conv1 --output y.npy");
    let expected = bench.array("y.npy").values;
    assert_eq!(seen(&bench, "photo.png", &png(image)), expected);
    // And the crop shown is what the network saw: blue first, mean subtracted.
    let [r, _, b] = crop.rgb(3, 5).map(f32::from);
    assert_eq!(tensor.values[(0, 3, 5)], (b - 104.0) / 50.0);
    assert_eq!(tensor.values[(2, 3, 5)], (r - 123.0) / 50.0);
}

#[test]
fn unusual_pictures_are_understood() {
    let bench = Bench::new();
    let plain = seen(&bench, "photo.png", &bench.data("quarters.png"));
    // Extensions do not matter, contents do.
    assert_eq!(seen(&bench, "photo.jpg", &bench.data("quarters.png")), plain);
    for name in ["animated.webp", "animated.png"] {
        assert_eq!(seen(&bench, name, &bench.data(name)), plain, "{name}: the first frame");
    }
    let cmyk = seen(&bench, "cmyk.jpg", &bench.data("cmyk.jpg"));
    assert!(apart(&cmyk, &plain) < 0.6, "CMYK becomes RGB: {}", apart(&cmyk, &plain));
    let deep = DynamicImage::from(quarters(&bench)).into_rgb16();
    assert_eq!(seen(&bench, "deep.png", &png(deep)), plain);
    let one = seen(&bench, "one.png", &png(RgbImage::from_pixel(1, 1, Rgb([10, 20, 30]))));
    let large = seen(&bench, "large.png", &png(RgbImage::from_pixel(99, 70, Rgb([10, 20, 30]))));
    assert_eq!(one, large);
    let grey = seen(&bench, "grey.png", &png(image::GrayImage::from_pixel(20, 20, image::Luma([77]))));
    assert_eq!(grey, seen(&bench, "g.png", &png(RgbImage::from_pixel(20, 20, Rgb([77; 3])))));
    let clear = RgbaImage::from_pixel(20, 20, image::Rgba([0, 0, 0, 0]));
    let white = seen(&bench, "w.png", &png(RgbImage::from_pixel(20, 20, Rgb([255; 3]))));
    assert_eq!(seen(&bench, "clear.png", &png(clear)), white, "transparency lies over white");
}

#[test]
fn what_is_no_picture_is_refused() {
    let bench = Bench::new();
    let mut jpeg = vec![];
    JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&quarters(&bench)).unwrap();
    let webp = bench.data("animated.webp");
    let still = bench.data("quarters.png");
    bench.write("y.npy", b"untouched");
    let refused = |bytes: &[u8], says: &[&str]| {
        bench.write("photo", bytes);
        bench.fails("run tiny photo --output y.npy", says);
    };
    refused(b"", &["photo: not a JPEG, PNG or WebP"]);
    refused(b"just some text", &["photo: not a JPEG, PNG or WebP"]);
    refused(b"GIF89a\x01\0\x01\0\0\0\0;", &["not a JPEG, PNG or WebP"]);
    for whole in [&jpeg, &webp, &still] {
        for n in [20, whole.len() / 2, whole.len() * 9 / 10] {
            refused(&whole[..n], &["photo", "cut short"]);
        }
    }
    refused(&jpeg[..jpeg.len() - 2], &["cut short"]);
    // 20000×20000, said by the header alone: refused before memory is taken for it.
    let mut huge = jpeg.clone();
    let sof = huge.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    huge[sof + 5..sof + 9].copy_from_slice(&[0x4e, 0x20, 0x4e, 0x20]);
    refused(&huge, &["20000×20000", "134 megapixels"]);
    let mut huge = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x4e\x20\0\0\x4e\x20\x08\x02\0\0\0".to_vec();
    huge.extend([0x6c, 0x12, 0xd1, 0x6e]);
    huge.extend(&still[33..]);
    refused(&huge, &["20000×20000", "134 megapixels"]);
    assert_eq!(bench.read("y.npy"), b"untouched");
}
