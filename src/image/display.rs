//! From signed values to colours: 0.5 + c·x / (2·max|x|), so that zero is mid-grey and never moves.

use super::picture::{Picture, check_size};
use crate::error::{Error, Result};
use crate::spec::Order;
use crate::tensor::{Rect, Tensor, View};

/// What stands outside the image in a padded crop: where a projection is zero.
const GREY: u8 = 128;

/// The contrast c at which 1 % of the non-zero pixels clip. At c = 1 deep projections are almost
/// blank, because a few pixels hold the maximum. A pixel's size is its channel of largest magnitude.
pub fn contrast(view: View) -> f32 {
    let mut sizes = Vec::with_capacity(view.rect.area());
    for y in view.rect.y0..view.rect.y1 {
        for x in view.rect.x0..view.rect.x1 {
            let size = (0..view.channels).map(|c| view.at(c, y, x).abs()).fold(0.0, f32::max);
            if size > 0.0 && size.is_finite() {
                sizes.push(size);
            }
        }
    }
    if sizes.is_empty() {
        return 1.0;
    }
    let clipped = sizes.len() / 100;
    let max = sizes.iter().copied().fold(0.0, f32::max);
    let (_, edge, _) = sizes.select_nth_unstable_by(clipped, |a, b| b.total_cmp(a));
    max / *edge
}

/// A projection as colours over `rect` of the input's plane (it may reach beyond: mid-grey there).
/// Both the maximum and the contrast are those of the shown part; `None` asks for [`contrast`].
/// Returns the picture and the c used. One channel is shown as grey.
///
/// # Errors
/// `Unsupported` for other numbers of channels than 1 and 3, `Limit` for a huge rectangle.
pub fn display(tensor: &Tensor, rect: Rect, order: Order, c: Option<f32>) -> Result<(Picture, f32)> {
    let channels = match (tensor.channels(), order) {
        (1, _) => [0; 3],
        (3, Order::Rgb) => [0, 1, 2],
        (3, Order::Bgr) => [2, 1, 0],
        (n, _) => {
            return Err(Error::Unsupported(format!(
                "{n} channels cannot be shown as colours; write .npy instead"
            )));
        }
    };
    check_size(rect.w() as u64, rect.h() as u64)?;
    let seen = rect.intersect(&tensor.rect);
    if seen.is_empty() {
        let grey = [GREY, GREY, GREY, 255].repeat(rect.area());
        return Ok((Picture::new(rect.w(), rect.h(), grey)?, c.unwrap_or(1.0)));
    }
    let view = tensor.view().crop(seen);
    let c = c.unwrap_or_else(|| contrast(view));
    let mut max = 0.0f32;
    for channel in 0..view.channels {
        for y in seen.y0..seen.y1 {
            max = view.line(channel, y).iter().fold(max, |m, v| m.max(v.abs()));
        }
    }
    let scale = if max > 0.0 { c / (2.0 * max) } else { 0.0 };
    let mut rgba = Vec::with_capacity(rect.area() * 4);
    for y in rect.y0..rect.y1 {
        for x in rect.x0..rect.x1 {
            for channel in channels {
                let value = 0.5 + view.at(channel, y, x) * scale;
                rgba.push((value.clamp(0.0, 1.0) * 255.0).round() as u8);
            }
            rgba.push(255);
        }
    }
    Ok((Picture::new(rect.w(), rect.h(), rgba)?, c))
}

/// The part of a picture that a unit sees, mid-grey beyond the border.
///
/// # Errors
/// `Malformed` for an empty rectangle, `Limit` for a huge one.
pub fn patch(picture: &Picture, rect: Rect) -> Result<Picture> {
    check_size(rect.w() as u64, rect.h() as u64)?;
    let seen = Rect::full(picture.height(), picture.width());
    let mut rgba = Vec::with_capacity(rect.area() * 4);
    for y in rect.y0..rect.y1 {
        for x in rect.x0..rect.x1 {
            let rgb = if seen.holds(y, x) { picture.rgb(y as usize, x as usize) } else { [GREY; 3] };
            rgba.extend([rgb[0], rgb[1], rgb[2], 255]);
        }
    }
    Picture::new(rect.w(), rect.h(), rgba)
}

/// A tensor over `rect`, which may reach beyond its own: zero there. The result starts at 0, 0.
pub fn padded(tensor: &Tensor, rect: Rect) -> Tensor {
    let mut out = Tensor::zeros(tensor.channels(), rect);
    out.view_mut().copy_from(tensor.view());
    out.rect = Rect::full(rect.h(), rect.w());
    out
}

/// Reduced to at most `h × w`: each cell keeps the value of largest magnitude under it, with its
/// sign, so that a single bright unit never disappears. The result's rectangle starts at 0, 0.
///
/// # Errors
/// `Parameter` for a size of zero.
pub fn shrink(view: View, h: usize, w: usize) -> Result<Tensor> {
    if h == 0 || w == 0 {
        return Err(Error::Parameter(format!("cannot reduce to {h}×{w}; ask for at least 1×1")));
    }
    let (from_h, from_w) = (view.rect.h(), view.rect.w());
    let (h, w) = (h.min(from_h), w.min(from_w));
    let mut small = Tensor::zeros(view.channels, Rect::full(h, w));
    for c in 0..view.channels {
        for i in 0..from_h {
            let line = view.line(c, view.rect.y0 + i as isize);
            for (j, &v) in line.iter().enumerate() {
                let cell = &mut small.values[(c, i * h / from_h, j * w / from_w)];
                if v.abs() > cell.abs() {
                    *cell = v;
                }
            }
        }
    }
    Ok(small)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Shape;

    #[test]
    fn one_percent_of_the_nonzero_pixels_clip() {
        let mut values = vec![0.0; 300];
        for (i, v) in values[..200].iter_mut().enumerate() {
            *v = if i % 2 == 0 { i as f32 + 1.0 } else { -(i as f32) - 1.0 };
        }
        let t = Tensor::new(Shape::new(1, 10, 30), values).unwrap();
        let c = contrast(t.view());
        assert_eq!(c, 200.0 / 198.0);
        let (p, used) = display(&t, t.rect, Order::Rgb, None).unwrap();
        assert_eq!(used, c);
        assert_eq!((p.rgb(9, 29), p.rgb(6, 19)), ([128; 3], [0; 3]));
        assert_eq!(contrast(Tensor::zeros(3, Rect::full(4, 4)).view()), 1.0);
    }

    #[test]
    fn colours_follow_the_order_and_borders_are_grey() {
        let t = Tensor::new(Shape::new(3, 1, 1), vec![2.0, 0.0, -2.0]).unwrap();
        let (p, _) = display(&t, Rect::new(-1, -1, 1, 1), Order::Bgr, Some(1.0)).unwrap();
        assert_eq!((p.rgb(0, 0), p.rgb(1, 1)), ([GREY; 3], [0, 128, 255]));
        let (p, _) = display(&t, t.rect, Order::Rgb, Some(0.5)).unwrap();
        assert_eq!(p.rgb(0, 0), [191, 128, 64]);
        let (p, c) = display(&t, Rect::new(5, 5, 7, 7), Order::Rgb, None).unwrap();
        assert_eq!((p.rgb(1, 1), c), ([GREY; 3], 1.0));
    }

    #[test]
    fn patches_are_padded() {
        let p = Picture::new(2, 1, vec![1, 2, 3, 255, 4, 5, 6, 255]).unwrap();
        let cut = patch(&p, Rect::new(0, 1, 2, 3)).unwrap();
        assert_eq!((cut.rgb(0, 0), cut.rgb(0, 1), cut.rgb(1, 0)), ([4, 5, 6], [GREY; 3], [GREY; 3]));
    }

    #[test]
    fn reduction_never_loses_the_largest_magnitude() {
        let mut values = vec![0.0; 7 * 5];
        values[17] = -3.0;
        values[16] = 2.0;
        let t = Tensor::new(Shape::new(1, 7, 5), values).unwrap();
        let small = shrink(t.view(), 2, 2).unwrap();
        assert_eq!(small.shape(), Shape::new(1, 2, 2));
        assert_eq!(small.data().iter().filter(|v| **v == -3.0).count(), 1);
        assert_eq!(shrink(t.view(), 99, 99).unwrap().data(), t.data());
        assert!(shrink(t.view(), 0, 1).is_err());
    }
}
