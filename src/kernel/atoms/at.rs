//! The convolution that atoms are the transpose of, at the few places that somebody asks for.

use super::super::parallel;
use super::super::simd::{Simd, Task, dispatch};
use super::{Atoms, frame};
use crate::tensor::{Shape, View};

impl Atoms {
    /// The convolution itself at some places of its `maps`: out[i] = Σ g[c, y + ky − pad, x + kx − pad] · w[o, c, ky, kx], places[i] the
    /// flat index of (o, y, x). Of maps that were pooled one value in eight or twelve is asked for.
    pub fn at(&self, g: View, maps: Shape, places: &[u32], out: &mut [f32]) {
        assert!(g.channels == self.channels && maps.c == self.filters, "maps as the filters have them");
        assert_eq!(places.len(), out.len(), "a value for every place");
        let (framed, height, width) = frame(g, self.kernel[0], self.row);
        let corner = [self.kernel[0] - self.pad[0], self.row - self.pad[1]];
        let one = self.channels * self.kernel[0] * self.row;
        let threads = parallel::threads(places.len() * one);
        let parts = if threads == 1 { 1 } else { 4 * threads };
        let size = places.len().div_ceil(parts).max(1);
        let data = out.as_mut_ptr() as usize;
        parallel::for_each(places.len().div_ceil(size), threads, &|i| {
            let places = &places[i * size..((i + 1) * size).min(places.len())];
            // SAFETY: every part's values once.
            let out =
                unsafe { std::slice::from_raw_parts_mut((data as *mut f32).add(i * size), places.len()) };
            dispatch(Places {
                atoms: self,
                framed: &framed,
                size: [height, width],
                corner,
                maps,
                places,
                out,
            });
        });
    }
}

struct Places<'a> {
    atoms: &'a Atoms,
    framed: &'a [f32],
    /// Rows and columns of a framed channel.
    size: [usize; 2],
    /// Where in the frame the filter of the maps' first place starts.
    corner: [usize; 2],
    maps: Shape,
    places: &'a [u32],
    out: &'a mut [f32],
}

impl Task for Places<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Places { atoms, framed, size: [height, width], corner, maps, places, out } = self;
        let (kh, row) = (atoms.kernel[0], atoms.row);
        let one = atoms.channels * kh * row;
        let plane = maps.h * maps.w;
        for (out, place) in out.iter_mut().zip(places) {
            let (o, y, x) =
                (*place as usize / plane, *place as usize % plane / maps.w, *place as usize % maps.w);
            let (top, left) = (y + corner[0], x + corner[1]);
            assert!(o < maps.c && top + kh <= height && left + row <= width, "places are in the maps");
            let mut sums = [S::splat(0.0); 2];
            for c in 0..atoms.channels {
                // SAFETY: checked above, and the frame ends in a row's length of zeros.
                unsafe {
                    let w = atoms.rows.as_ptr().add(o * one + c * kh * row);
                    let g = framed.as_ptr().add((c * height + top) * width + left);
                    for ky in 0..kh {
                        for k in (0..row).step_by(S::LANES) {
                            let (w, g) = (S::load(w.add(ky * row + k)), S::load(g.add(ky * width + k)));
                            sums[1] = w.mul_add(g, sums[1]);
                        }
                        sums.swap(0, 1);
                    }
                }
            }
            *out = sums[0].add(sums[1]).sum();
        }
    }
}
