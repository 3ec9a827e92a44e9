//! Filters beside each other.

use unpool::Result;
use unpool::image::Picture;

/// Cells of one size in rows, each pixel `zoom` times; what is not there stays mid-grey.
pub fn of(cells: &[Option<Picture>], zoom: usize) -> Result<Picture> {
    let side = |f: &dyn Fn(&Picture) -> usize| cells.iter().flatten().map(f).max().unwrap_or(1) * zoom;
    let (w, h) = (side(&|p| p.width()), side(&|p| p.height()));
    let columns = (cells.len() as f64).sqrt().ceil().max(1.0) as usize;
    let rows = cells.len().div_ceil(columns).max(1);
    let gap = 4;
    let (width, height) = (columns * (w + gap) + gap, rows * (h + gap) + gap);
    let mut rgba = [255u8, 255, 255, 255].repeat(width * height);
    for (i, cell) in cells.iter().enumerate() {
        let (top, left) = (gap + i / columns * (h + gap), gap + i % columns * (w + gap));
        for y in 0..h {
            for x in 0..w {
                let pixel = match cell {
                    Some(p) if y / zoom < p.height() && x / zoom < p.width() => {
                        let at = (y / zoom * p.width() + x / zoom) * 4;
                        &p.rgba()[at..at + 4]
                    }
                    _ => &[128, 128, 128, 255],
                };
                let to = ((top + y) * width + left + x) * 4;
                rgba[to..to + 4].copy_from_slice(pixel);
            }
        }
    }
    Picture::new(width, height, rgba)
}
