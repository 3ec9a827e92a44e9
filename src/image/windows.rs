//! The parts of a photo that a gallery searches.

use super::picture::largest;

/// Most windows along one side of a panorama: then they leave gaps.
const MOST_IN_LINE: usize = 8;

/// Rectangles `[y0, x0, y1, x1)` of a photo of `height × width`, all with the proportions of the
/// network's input `to`, in pixels that may be fractions:
///
/// - window 0: the largest centred part, what every other command sees of the photo;
/// - with `scales` ≥ 2: the same at both ends of the longer side, where that moves it by a sixteenth of its side or more;
/// - with `scales` ≥ 3: half that size, evenly over the whole photo and touching each other, where that is at
///   least half of the input's size (else there is nothing more to see in them).
pub fn windows(height: usize, width: usize, to: [usize; 2], scales: u8) -> Vec<[f64; 4]> {
    let (h, w) = (height as f64, width as f64);
    let middle = largest(height, width, to[0], to[1]);
    let [y0, x0, y1, x1] = middle;
    let (side_h, side_w) = (y1 - y0, x1 - x0);
    let mut all = vec![middle];
    if scales >= 2 && (y0 * 16.0 >= side_h || x0 * 16.0 >= side_w) {
        all.push([0.0, 0.0, side_h, side_w]);
        all.push([h - side_h, w - side_w, h, w]);
    }
    let (half_h, half_w) = (side_h / 2.0, side_w / 2.0);
    if scales >= 3 && half_h * 2.0 >= to[0] as f64 && half_w * 2.0 >= to[1] as f64 {
        // An extra row would only be needed for a sliver of less than a tenth.
        let along = |all: f64, part: f64| ((all / part - 0.1).ceil() as usize).clamp(2, MOST_IN_LINE);
        let (rows, columns) = (along(h, half_h), along(w, half_w));
        let at = |i: usize, n: usize, free: f64| free * i as f64 / (n - 1) as f64;
        for i in 0..rows {
            for j in 0..columns {
                let (y, x) = (at(i, rows, h - half_h), at(j, columns, w - half_w));
                all.push([y, x, y + half_h, x + half_w]);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_lie_inside_and_the_finer_scales_cover_the_photo() {
        for (h, w) in [(320, 480), (480, 320), (320, 320), (227, 3000), (64, 80), (1, 1)] {
            for scales in 1..=3 {
                let all = windows(h, w, [224, 224], scales);
                assert!(all.len() < 40 && all[0] == windows(h, w, [224, 224], 1)[0]);
                for [y0, x0, y1, x1] in &all {
                    assert!(*y0 >= 0.0 && *x0 >= 0.0 && y1 > y0 && x1 > x0, "{all:?}");
                    assert!(*y1 <= h as f64 + 1e-9 && *x1 <= w as f64 + 1e-9, "{all:?}");
                }
            }
        }
        assert_eq!(windows(320, 480, [224, 224], 1), [[0.0, 80.0, 320.0, 400.0]]);
        assert_eq!(windows(320, 480, [224, 224], 2).len(), 3);
        assert_eq!(windows(320, 480, [224, 224], 3).len(), 3 + 2 * 3);
        assert_eq!(windows(320, 320, [224, 224], 3).len(), 1 + 2 * 2);
        // Too small for halves, and the ends are the middle.
        assert_eq!(windows(200, 210, [224, 224], 3).len(), 1);
    }
}
