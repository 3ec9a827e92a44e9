//! From pixels to the network's input.

use crate::error::{Error, Result};
use crate::spec::{Input, Order};
use crate::tensor::{Rect, Tensor};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

/// Largest picture taken in, in pixels: 2²⁷, about 134 megapixels (512 MiB as RGBA).
pub const MAX_PIXELS: u64 = 1 << 27;

/// Opaque 8-bit pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgba: Vec<u8>,
}

impl Picture {
    /// From `width · height` RGBA pixels in reading order, alpha not premultiplied (as `ImageData`
    /// holds them). Transparency is laid over white: networks know none, and white is what most
    /// transparent pictures are drawn for.
    ///
    /// # Errors
    /// `Malformed` for an empty picture or the wrong number of bytes, `Limit` above [`MAX_PIXELS`].
    pub fn new(width: usize, height: usize, mut rgba: Vec<u8>) -> Result<Picture> {
        check_size(width as u64, height as u64)?;
        if rgba.len() != width * height * 4 {
            return Err(Error::Malformed(format!(
                "{} bytes given for a picture of {width}×{height}; RGBA pixels take {}",
                rgba.len(),
                width * height * 4
            )));
        }
        for p in rgba.chunks_exact_mut(4).filter(|p| p[3] != 255) {
            let a = u32::from(p[3]);
            for v in &mut p[..3] {
                *v = ((u32::from(*v) * a + 255 * (255 - a) + 127) / 255) as u8;
            }
            p[3] = 255;
        }
        Ok(Picture { width, height, rgba })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// RGBA bytes in reading order; every alpha is 255.
    pub fn rgba(&self) -> &[u8] {
        &self.rgba
    }

    /// RGBA bytes without a copy.
    pub fn into_rgba(self) -> Vec<u8> {
        self.rgba
    }

    /// Red, green, blue at a position.
    pub fn rgb(&self, y: usize, x: usize) -> [u8; 3] {
        let i = (y * self.width + x) * 4;
        [self.rgba[i], self.rgba[i + 1], self.rgba[i + 2]]
    }

    /// Resized so that it just covers `height × width`, the middle kept: the usual "shorter side to
    /// the model's side, centre crop", in one step, so that a 1×20000 strip costs no more than a
    /// photo. Antialiased triangle filter, as Pillow's `BILINEAR` (at most one grey level apart).
    ///
    /// # Errors
    /// `Shape` for an empty size, `Limit` above [`MAX_PIXELS`].
    pub fn fit(&self, height: usize, width: usize) -> Result<Picture> {
        self.cut(largest(self.height, self.width, height, width), height, width)
    }

    /// The part `[y0, x0, y1, x1)` of the picture resized to `height × width`, as [`Picture::fit`] does it;
    /// sides may lie between pixels.
    ///
    /// # Errors
    /// `Shape` for an empty size or a part that is not inside, `Limit` above [`MAX_PIXELS`].
    pub fn cut(&self, [y0, x0, y1, x1]: [f64; 4], height: usize, width: usize) -> Result<Picture> {
        check_size(width as u64, height as u64).map_err(|e| e.at("the model's input size"))?;
        let whole = [y0, x0, y1, x1] == [0.0, 0.0, self.height as f64, self.width as f64];
        if whole && (height, width) == (self.height, self.width) {
            return Ok(self.clone());
        }
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .use_alpha(false)
            .crop(x0, y0, x1 - x0, y1 - y0);
        let failed =
            |e: String| Error::Shape(format!("{}×{} to {width}×{height}: {e}", self.width, self.height));
        let from = ImageRef::new(self.width as u32, self.height as u32, &self.rgba, PixelType::U8x4)
            .map_err(|e| failed(e.to_string()))?;
        let mut to = Image::new(width as u32, height as u32, PixelType::U8x4);
        Resizer::new().resize(&from, &mut to, &options).map_err(|e| failed(e.to_string()))?;
        Ok(Picture { width, height, rgba: to.into_vec() })
    }
}

/// The largest centred part of `height × width` pixels that has the proportions of `to_h × to_w`.
pub(super) fn largest(height: usize, width: usize, to_h: usize, to_w: usize) -> [f64; 4] {
    let (w, h) = (width as f64, height as f64);
    let (to_w, to_h) = (to_w as f64, to_h as f64);
    let (crop_w, crop_h) = if w * to_h > h * to_w { (h * to_w / to_h, h) } else { (w, w * to_h / to_w) };
    let (y0, x0) = ((h - crop_h) / 2.0, (w - crop_w) / 2.0);
    [y0, x0, y0 + crop_h, x0 + crop_w]
}

/// Refuses sizes before anything is allocated for them.
pub(super) fn check_size(width: u64, height: u64) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::Malformed(format!("a picture of {width}×{height} has no pixels")));
    }
    match width.checked_mul(height) {
        Some(n) if n <= MAX_PIXELS => Ok(()),
        _ => Err(Error::Limit(format!(
            "a picture of {width}×{height} is above the bound of {} megapixels; make it smaller first",
            MAX_PIXELS / 1_000_000
        ))),
    }
}

/// (pixel − mean) / std in the model's channel order, pixels in 0–255; the picture's own size. A
/// model with one channel gets the luma (ITU-R 601, as Pillow's `L`).
///
/// # Errors
/// `Unsupported` for other numbers of channels than 1 and 3, `Shape` where mean or std do not match.
pub fn normalise(picture: &Picture, input: &Input) -> Result<Tensor> {
    let channels = input.shape.c;
    let mean = per_channel(&input.mean, channels, 0.0, "mean")?;
    let std = per_channel(&input.std, channels, 1.0, "std")?;
    if std.contains(&0.0) {
        return Err(Error::Shape("the model's std holds a zero; give another with --std".into()));
    }
    let pick: fn(&[u8]) -> [u8; 3] = match (channels, input.order) {
        (1, _) => luma,
        (3, Order::Rgb) => |p| [p[0], p[1], p[2]],
        (3, Order::Bgr) => |p| [p[2], p[1], p[0]],
        _ => {
            return Err(Error::Unsupported(format!(
                "the model's input has {channels} channels: a photo has 1 or 3; give it a tensor (.npy) instead"
            )));
        }
    };
    let mut tensor = Tensor::zeros(channels, Rect::full(picture.height, picture.width));
    let plane = picture.width * picture.height;
    let data = tensor.data_mut();
    for (i, pixel) in picture.rgba.chunks_exact(4).enumerate() {
        let values = pick(pixel);
        for c in 0..channels {
            data[c * plane + i] = (f32::from(values[c]) - mean[c]) / std[c];
        }
    }
    Ok(tensor)
}

/// The way back from [`normalise`]: an input as pixels to show, rounded and clipped to 0–255. Of one channel
/// all three colours are made.
///
/// # Errors
/// Those of [`normalise`].
pub fn restore(tensor: &Tensor, input: &Input) -> Result<Picture> {
    let channels = tensor.channels();
    let mean = per_channel(&input.mean, channels, 0.0, "mean")?;
    let std = per_channel(&input.std, channels, 1.0, "std")?;
    let planes = match (channels, input.order) {
        (1, _) => [0, 0, 0],
        (3, Order::Rgb) => [0, 1, 2],
        (3, Order::Bgr) => [2, 1, 0],
        _ => return Err(Error::Unsupported(format!("an input of {channels} channels is not a picture"))),
    };
    let (height, width) = (tensor.rect.h(), tensor.rect.w());
    let mut rgba = vec![255; height * width * 4];
    for (i, pixel) in rgba.chunks_exact_mut(4).enumerate() {
        for (value, &c) in pixel.iter_mut().zip(&planes) {
            // The cast saturates, which is the clipping.
            *value = (tensor.data()[c * height * width + i] * std[c] + mean[c]).round() as u8;
        }
    }
    Picture::new(width, height, rgba)
}

/// A colour (0–255, red, green, blue) in the network's own units and channel order.
///
/// # Errors
/// Those of [`normalise`], and `Parameter` for a value outside 0–255.
pub fn colour(input: &Input, rgb: [f32; 3]) -> Result<Vec<f32>> {
    if rgb.iter().any(|v| !(0.0..=255.0).contains(v)) {
        return Err(Error::Parameter(format!("a colour is three numbers from 0 to 255, got {rgb:?}")));
    }
    let rgba = [rgb[0].round() as u8, rgb[1].round() as u8, rgb[2].round() as u8, 255];
    Ok(normalise(&Picture::new(1, 1, rgba.to_vec())?, input)?.data().to_vec())
}

/// What the network sees of a picture: the tensor, and the same as pixels to show.
///
/// # Errors
/// Those of [`Picture::fit`] and [`normalise`].
pub fn prepare(picture: &Picture, input: &Input) -> Result<(Tensor, Picture)> {
    let seen = picture.fit(input.shape.h, input.shape.w)?;
    Ok((normalise(&seen, input)?, seen))
}

fn luma(p: &[u8]) -> [u8; 3] {
    let y = (u32::from(p[0]) * 19595 + u32::from(p[1]) * 38470 + u32::from(p[2]) * 7471 + 0x8000) >> 16;
    [y as u8; 3]
}

fn per_channel(values: &[f32], channels: usize, default: f32, what: &str) -> Result<Vec<f32>> {
    if values.iter().any(|v| !v.is_finite()) {
        return Err(Error::Shape(format!("the model's {what} holds a value that is not a finite number")));
    }
    match values.len() {
        0 => Ok(vec![default; channels]),
        1 => Ok(vec![values[0]; channels]),
        n if n == channels => Ok(values.to_vec()),
        n => Err(Error::Shape(format!("{what} has {n} values, the model's input has {channels} channels"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Shape;

    fn input(c: usize, h: usize, w: usize, order: Order) -> Input {
        Input { shape: Shape::new(c, h, w), mean: vec![], std: vec![], order }
    }

    fn picture(width: usize, height: usize, pixel: impl Fn(usize, usize) -> [u8; 4]) -> Picture {
        let rgba = (0..height).flat_map(|y| (0..width).map(move |x| (y, x))).flat_map(|(y, x)| pixel(y, x));
        Picture::new(width, height, rgba.collect()).unwrap()
    }

    #[test]
    fn transparency_lies_over_white() {
        let p = Picture::new(3, 1, vec![9, 9, 9, 0, 200, 100, 0, 255, 0, 100, 255, 128]).unwrap();
        assert_eq!(p.rgba(), [255, 255, 255, 255, 200, 100, 0, 255, 127, 177, 255, 255]);
    }

    #[test]
    fn sizes_are_checked_before_memory_is_taken() {
        assert!(matches!(Picture::new(2, 2, vec![0; 15]), Err(Error::Malformed(_))));
        assert!(matches!(Picture::new(0, 2, vec![]), Err(Error::Malformed(_))));
        assert!(matches!(Picture::new(20000, 20000, vec![]), Err(Error::Limit(_))));
        assert!(matches!(Picture::new(usize::MAX, usize::MAX, vec![]), Err(Error::Limit(_))));
    }

    #[test]
    fn the_middle_is_kept_and_antialiased() {
        // Columns 0–1 and 6–7 must not be seen; the middle 4×4 of black and white dots averages out.
        let p = picture(8, 4, |y, x| {
            let v = if (2..6).contains(&x) { if (x + y) % 2 == 0 { 0 } else { 255 } } else { 77 };
            [v, v, v, 255]
        });
        let small = p.fit(1, 1).unwrap();
        // The triangle reaches half a source side beyond the crop, where 77 enters with small weight.
        assert!((100..=128).contains(&small.rgb(0, 0)[0]), "{:?}", small.rgb(0, 0));
        assert_eq!(p.fit(4, 8).unwrap(), p);
        let (h, w) = (3, 5);
        assert_eq!((p.fit(h, w).unwrap().height(), p.fit(h, w).unwrap().width()), (h, w));
    }

    #[test]
    fn constant_pictures_stay_constant_at_any_size() {
        for (w, h) in [(1, 1), (1, 3000), (3000, 1), (17, 300), (640, 480)] {
            let p = picture(w, h, |_, _| [10, 200, 30, 255]);
            let fit = p.fit(19, 23).unwrap();
            assert!(fit.rgba().chunks_exact(4).all(|p| p == [10, 200, 30, 255]), "{w}×{h}");
        }
    }

    /// Fixed-point weights give the same bytes whichever instructions compute them.
    #[cfg_attr(target_arch = "wasm32", wasm_bindgen_test::wasm_bindgen_test)]
    #[cfg_attr(not(target_arch = "wasm32"), test)]
    fn resampling_is_bit_equal_everywhere() {
        let mut state = 12345u32;
        let mut rgba = vec![255u8; 123 * 84 * 4];
        for (i, v) in rgba.iter_mut().enumerate() {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            if i % 4 != 3 {
                *v = (state >> 24) as u8;
            }
        }
        let fit = Picture::new(123, 84, rgba).unwrap().fit(31, 29).unwrap();
        let sum = fit.rgba().iter().fold(0u32, |s, &v| s.wrapping_mul(31).wrapping_add(u32::from(v)));
        assert_eq!(sum, 1_260_780_681);
    }

    #[test]
    fn normalisation_follows_the_models_order() {
        let p = picture(1, 1, |_, _| [10, 20, 30, 255]);
        let mut i = input(3, 1, 1, Order::Bgr);
        i.mean = vec![1.0, 2.0, 3.0];
        i.std = vec![2.0];
        assert_eq!(normalise(&p, &i).unwrap().data(), [14.5, 9.0, 3.5]);
        i.order = Order::Rgb;
        assert_eq!(normalise(&p, &i).unwrap().data(), [4.5, 9.0, 13.5]);
        assert_eq!(normalise(&p, &input(1, 1, 1, Order::Rgb)).unwrap().data(), [18.0]);
        i.mean.pop();
        assert!(matches!(normalise(&p, &i), Err(Error::Shape(_))));
        assert!(matches!(normalise(&p, &input(4, 1, 1, Order::Rgb)), Err(Error::Unsupported(_))));
    }
}
