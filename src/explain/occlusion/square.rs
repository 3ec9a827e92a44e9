//! Where the square stands, and in which order.

use crate::error::{Error, Result};
use crate::tensor::{Rect, Shape};
use serde::{Deserialize, Serialize};

/// Where the square stands (semantics §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grid {
    /// Centres at (⌊T/2⌋ + iT, ⌊T/2⌋ + jT), the square clipped to the image: each cell of the map
    /// stands over its stretch of the image.
    #[default]
    Centre,
    /// Corners at multiples of T, the square never clipped: for comparison with other tools.
    Inside,
}

/// Most positions of one sweep.
const MOST_POSITIONS: usize = 1 << 20;
/// The squares, rows × columns, clipped to the image, and the numbers of rows and columns.
pub(super) fn positions(
    input: Shape,
    size: usize,
    stride: usize,
    grid: Grid,
) -> Result<(Vec<Rect>, [usize; 2])> {
    if size == 0 || stride == 0 {
        return Err(Error::Parameter(format!(
            "the square's side ({size}) and the stride ({stride}) must be at least 1"
        )));
    }
    if size > input.h || size > input.w {
        return Err(Error::Parameter(format!(
            "a square of side {size} is larger than the image of {} rows and {} columns; choose a smaller one",
            input.h, input.w
        )));
    }
    let count = |n: usize| match grid {
        Grid::Centre => n.div_ceil(stride),
        Grid::Inside => (n - size) / stride + 1,
    };
    let rows_columns = [count(input.h), count(input.w)];
    let n = rows_columns[0] * rows_columns[1];
    if n > MOST_POSITIONS {
        return Err(Error::Limit(format!(
            "{n} positions are more than {MOST_POSITIONS}; choose a larger stride"
        )));
    }
    let (s, t) = (size as isize, stride as isize);
    let start = |i: usize| match grid {
        Grid::Centre => t / 2 + i as isize * t - s / 2,
        Grid::Inside => i as isize * t,
    };
    let mut all = Vec::with_capacity(n);
    for i in 0..rows_columns[0] {
        for j in 0..rows_columns[1] {
            let (y, x) = (start(i), start(j));
            let square = Rect::new(y, x, y + s, x + s).intersect(&input.rect());
            // With a large stride the last centre may lie beyond the image: nothing is hidden there.
            let (y0, x0) = (square.y0.min(square.y1), square.x0.min(square.x1));
            all.push(Rect::new(y0, x0, square.y1, square.x1));
        }
    }
    Ok((all, rows_columns))
}

/// Positions of the first pass of [`coarse_to_fine`].
pub(super) fn coarse([rows, columns]: [usize; 2]) -> usize {
    rows.div_ceil(4) * columns.div_ceil(4)
}

/// Every 4th position of every 4th row first, then every 2nd, then the rest: a whole coarse map early.
pub(super) fn coarse_to_fine([rows, columns]: [usize; 2]) -> Vec<usize> {
    let mut order = Vec::with_capacity(rows * columns);
    let level = |v: usize| {
        if v.is_multiple_of(4) {
            0
        } else if v.is_multiple_of(2) {
            1
        } else {
            2
        }
    };
    for pass in 0..3 {
        for i in 0..rows {
            order.extend((0..columns).filter(|&j| level(i).max(level(j)) == pass).map(|j| i * columns + j));
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_comes_once_and_the_coarse_ones_first() {
        let order = coarse_to_fine([9, 6]);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..54).collect::<Vec<_>>());
        assert_eq!(order[..6], [0, 4, 24, 28, 48, 52]);
        assert_eq!(coarse([9, 6]), 6);
    }

    #[test]
    fn grids_follow_their_definitions() {
        let (all, grid) = positions(Shape::new(3, 227, 227), 50, 8, Grid::Centre).unwrap();
        assert_eq!(grid, [29, 29]);
        assert_eq!(all[0], Rect::new(0, 0, 29, 29));
        let (all, grid) = positions(Shape::new(3, 224, 224), 50, 8, Grid::Inside).unwrap();
        assert_eq!((grid, all.len()), ([22, 22], 484));
        assert_eq!(all[483], Rect::new(168, 168, 218, 218));
        // Centres at 22, 67, … 247: the last squares have left the image, and have no size.
        let (all, grid) = positions(Shape::new(3, 227, 227), 20, 45, Grid::Centre).unwrap();
        assert_eq!((grid, all[35]), ([6, 6], Rect::new(227, 227, 227, 227)));
        assert!(all.iter().all(|r| r.y0 <= r.y1 && r.x0 <= r.x1));
        for (size, stride) in [(0, 8), (9, 0), (300, 8)] {
            assert!(matches!(
                positions(Shape::new(3, 224, 224), size, stride, Grid::Centre),
                Err(Error::Parameter(_))
            ));
        }
        assert!(matches!(positions(Shape::new(3, 9000, 9000), 5, 1, Grid::Centre), Err(Error::Limit(_))));
    }
}
