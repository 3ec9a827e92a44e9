//! Convolution as a product of packed weights with blocks of the implicit im2col matrix.
//!
//! A *pass* is what one GEMM computes: one group of channels, and in the transpose one phase of the
//! outputs. Its columns are all its output positions of all items, cut into blocks; a task packs a block
//! slice by slice along k and multiplies.

pub use super::pack::ABSENT;
use super::pack::{self, Run, Source, Tap};
use super::{Filters, Geometry, Item, few};
use crate::kernel::gemm::{Product, ROWS, Segment, Weights};
use crate::kernel::simd::{Simd, Task, dispatch};
use crate::kernel::{parallel, scratch};

/// Steps of k in a slice: 256 rows of 32 bytes of b and 256×4 weights sit in half of a 32 KiB L1 cache.
const SLICE: usize = 256;
/// Columns of a block, with SLICE rows about 100 KiB: a tenth of the L2 cache, beside 4·SLICE·M of weights.
const BLOCK: usize = 96;

/// Direct weights: per group tiles of four outputs, `[tile][tap][input][4]`, zero-padded.
pub struct Packed {
    pub(super) values: Vec<f32>,
    /// Values of one group.
    group: usize,
}

impl Packed {
    /// From (outputs, inputs / groups, kh, kw).
    pub fn new(weights: &[f32], g: &Geometry) -> Packed {
        let (ci, co) = (g.inputs / g.groups, g.outputs / g.groups);
        let taps = g.window.kernel[0] * g.window.kernel[1];
        let group = co.div_ceil(ROWS) * taps * ci * ROWS;
        // The transpose reads whole blocks of four inputs, the last one perhaps past the end.
        let mut values = vec![0.0; g.groups * group + ROWS * ROWS];
        for o in 0..g.outputs {
            let (grp, o_in) = (o / co, o % co);
            for c in 0..ci {
                for t in 0..taps {
                    let at = grp * group + (((o_in / ROWS) * taps + t) * ci + c) * ROWS + o_in % ROWS;
                    values[at] = weights[(o * ci + c) * taps + t];
                }
            }
        }
        Packed { values, group }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        4 * self.values.len()
    }
}

pub(super) struct Pass {
    pub(super) taps: Vec<Tap>,
    /// Transpose: offsets of the 4×4 blocks, one per four rows of k.
    pub(super) blocks: Vec<u32>,
    /// Which input channel each row of a tap reads.
    pub(super) channels: Vec<u32>,
    /// First value of the pass's weights.
    pub(super) weights: usize,
    /// Distance between tiles of output rows.
    pub(super) tile: usize,
    /// First output channel.
    pub(super) output: usize,
    /// Output channels.
    pub(super) rows: usize,
    /// Vertical distance of neighbouring output rows in the input.
    stride: isize,
    /// Distance of neighbouring outputs in the output's data.
    step: usize,
    runs: Vec<Run>,
    /// Blocks: first run, columns.
    cuts: Vec<(usize, usize)>,
    columns: usize,
}

impl Pass {
    pub(super) fn k(&self) -> usize {
        self.taps.len() * self.channels.len()
    }

    /// Appends a run of `n` outputs, cut where blocks end.
    fn push(&mut self, mut run: Run, block: usize) {
        let mut n = run.n as usize;
        while n > 0 {
            if self.cuts.last().is_none_or(|c| c.1 == block) {
                self.cuts.push((self.runs.len(), 0));
            }
            let cut = self.cuts.last_mut().expect("just pushed");
            let part = n.min(block - cut.1);
            self.runs.push(Run { column: cut.1 as u32, n: part as u32, ..run });
            cut.1 += part;
            run.u += part as i32;
            run.at += part * self.step;
            n -= part;
        }
    }
}

/// Columns per block so that `threads` finish together, and whether to split rows instead.
fn plan(columns: usize, rows: usize, threads: usize) -> (usize, usize) {
    let eight = columns.div_ceil(8);
    if threads == 1 || columns == 0 {
        let blocks = columns.div_ceil(BLOCK).max(1);
        return (eight.div_ceil(blocks).max(1) * 8, 1);
    }
    let blocks = columns.div_ceil(BLOCK).next_multiple_of(threads);
    let per = eight.div_ceil(blocks);
    // Idle share when every thread gets whole columns of eight.
    let waste = per * blocks * 100 / eight.max(1);
    if waste > 106 && rows >= 16 * threads {
        let blocks = columns.div_ceil(BLOCK);
        return (eight.div_ceil(blocks) * 8, threads);
    }
    (per * 8, 1)
}

struct Shared<'a> {
    sources: &'a [Source],
    outputs: &'a [(usize, usize)],
    passes: &'a [Pass],
    packed: &'a Packed,
    bias: &'a [f32],
    rectify: bool,
    direct: &'a [Option<(usize, usize)>],
}

struct Block<'a, 'b> {
    shared: &'a Shared<'b>,
    pass: &'a Pass,
    cut: usize,
    tiles: [usize; 2],
    direct: Option<(usize, usize)>,
}

impl Task for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Block { shared, pass, cut, tiles, direct } = self;
        let (first, columns) = pass.cuts[cut];
        let end = pass.cuts.get(cut + 1).map_or(pass.runs.len(), |c| c.0);
        let runs = &pass.runs[first..end];
        let mut segments: Vec<Segment> = Vec::with_capacity(runs.len());
        let mut last = usize::MAX;
        for run in runs {
            let (data, plane) = shared.outputs[run.item as usize];
            let at = (data as *mut f32).wrapping_add(run.at + pass.output * plane);
            match segments.last_mut() {
                Some(s) if pass.step == 1 && last == run.item as usize && s.at.wrapping_add(s.n) == at => {
                    s.n += run.n as usize;
                }
                _ => {
                    let (column, n) = (run.column as usize, run.n as usize);
                    segments.push(Segment { column, n, at, step: pass.step, plane });
                }
            }
            last = run.item as usize;
        }
        let wide = S::LANES * S::PANEL;
        // An odd number of 32-byte units between rows spreads them over all cache sets.
        let ldb = (columns.next_multiple_of(wide) + 8) / 8 * 8;
        let ldb = if ldb / 8 % 2 == 0 { ldb + 8 } else { ldb };
        let k = pass.k();
        let bias = if shared.bias.is_empty() { &[] } else { &shared.bias[pass.output..] };
        let weights = shared.packed.values[pass.weights..].as_ptr();
        let mut room = scratch::take(if direct.is_some() { 0 } else { SLICE.min(k) * ldb + 4 });
        let room = room.as_mut_ptr();
        let mut from = 0;
        loop {
            let to = (from + SLICE).min(k);
            // SAFETY: runs, segments and weights were made from the views' own sizes; no two tasks
            // share an output row and column.
            unsafe {
                let (b, ldb) = match direct {
                    Some((at, plane)) => ((at as *const f32).wrapping_add(from * plane), plane),
                    None => {
                        pack::pack(
                            shared.sources,
                            &pass.taps,
                            &pass.channels,
                            pass.stride,
                            runs,
                            [from, to],
                            room,
                            ldb,
                        );
                        (room.cast_const(), ldb)
                    }
                };
                let weights = if pass.blocks.is_empty() {
                    Weights { at: weights.wrapping_add(from * ROWS), tile: pass.tile, blocks: None }
                } else {
                    let blocks = Some(&pass.blocks[from / 4..to / 4]);
                    Weights { at: weights, tile: pass.tile, blocks }
                };
                let product = Product {
                    weights,
                    k: to - from,
                    b,
                    ldb,
                    columns,
                    segments: &segments,
                    tiles,
                    rows: pass.rows,
                    first: from == 0,
                    bias,
                    rectify: shared.rectify && to == k,
                };
                product.run::<S>();
            }
            from = to;
            if from >= k {
                break;
            }
        }
    }
}

/// Runs the forward pass, or the transpose; for that `active` tiles of every group, as [`active`] finds them.
pub fn run(filters: &Filters, packed: &Packed, items: &mut [Item], active: &[Vec<usize>], rectify: bool) {
    let g = &filters.geometry;
    let split = if filters.transposed { 1 } else { g.window.stride[1] };
    let rooms: Vec<usize> = items
        .iter()
        .map(|i| if split == 1 { 0 } else { Source::room(i.input.channels, needed(g, i), split) })
        .collect();
    let mut room = scratch::take(rooms.iter().sum());
    let mut room = &mut room[..];
    let total = room.len();
    let mut sources = Vec::with_capacity(items.len());
    for (item, n) in items.iter().zip(&rooms) {
        if split == 1 {
            sources.push(Source::view(&item.input));
            continue;
        }
        let (mine, rest) = room.split_at_mut(*n);
        room = rest;
        sources.push(Source::split(&item.input, needed(g, item), split, mine.as_mut_ptr(), *n));
    }
    if split > 1 {
        let most = items.iter().map(|i| i.input.channels).max().unwrap_or(0);
        let views: Vec<_> = items.iter().map(|i| i.input).collect();
        parallel::for_each(items.len() * most, parallel::threads(4 * total), &|i| {
            let (view, c) = (&views[i / most], i % most);
            if c < view.channels {
                // SAFETY: made by `split`; every channel once.
                unsafe { sources[i / most].fill(view, c) };
            }
        });
    }
    multiply(filters, packed, items, &sources, active, rectify);
}

fn needed(g: &Geometry, item: &Item) -> crate::tensor::Rect {
    let r = g.window.reads(&item.output.rect).intersect(&item.input.rect);
    if r.is_empty() { crate::tensor::Rect::default() } else { r }
}

fn multiply(
    filters: &Filters,
    packed: &Packed,
    items: &mut [Item],
    sources: &[Source],
    active: &[Vec<usize>],
    rectify: bool,
) {
    let (g, transposed) = (&filters.geometry, filters.transposed);
    let macs = g.macs(items.iter().map(|i| i.output.rect.area()).sum(), transposed);
    let threads = parallel::threads(macs);
    let made = |group: usize, phase: [usize; 2]| match transposed {
        true => pull(g, packed, group, &active[group], phase),
        false => push(g, packed, group),
    };
    let bias = if transposed { &[][..] } else { &filters.bias };
    if few::fits(g, transposed, &made(0, [0, 0]), items, threads) {
        for group in 0..g.groups {
            few::run(&made(group, [0, 0]), packed, bias, items, threads, rectify);
        }
        return;
    }
    let mut passes = Vec::new();
    let mut tasks = Vec::new();
    for group in 0..g.groups {
        let [sy, sx] = if transposed { g.window.stride } else { [1, 1] };
        for phase in 0..sy * sx {
            let mut pass = made(group, [phase / sx, phase % sx]);
            let spots = |i: &Item| spots(i, [sy, sx], [phase / sx, phase % sx]);
            pass.columns = items.iter().map(|i| spots(i).area()).sum();
            if pass.columns == 0 {
                continue;
            }
            let share = if threads > 1 && sy * sx * g.groups > 4 * threads { 1 } else { threads };
            let (block, parts) = plan(pass.columns, pass.rows, share);
            for (i, item) in items.iter().enumerate() {
                let r = spots(item);
                for v in r.y0..r.y1 {
                    let at = item.output.index(
                        0,
                        v * sy as isize + (phase / sx) as isize,
                        r.x0 * sx as isize + (phase % sx) as isize,
                    );
                    let run =
                        Run { item: i as u32, column: 0, n: r.w() as u32, v: v as i32, u: r.x0 as i32, at };
                    pass.push(run, block);
                }
            }
            let tiles = pass.rows.div_ceil(ROWS);
            for cut in 0..pass.cuts.len() {
                for part in 0..parts {
                    tasks.push((passes.len(), cut, [tiles * part / parts, tiles * (part + 1) / parts]));
                }
            }
            passes.push(pass);
        }
    }
    let direct: Vec<_> = tasks.iter().map(|&(p, cut, _)| in_place(&passes[p], cut, items)).collect();
    let outputs: Vec<_> =
        items.iter_mut().map(|i| (i.output.data.as_mut_ptr() as usize, i.output.plane)).collect();
    let shared =
        Shared { sources, outputs: &outputs, passes: &passes, packed, bias, rectify, direct: &direct };
    parallel::for_each(tasks.len(), threads, &|i| {
        let (pass, cut, tiles) = tasks[i];
        let pass = &shared.passes[pass];
        dispatch(Block { shared: &shared, pass, cut, tiles, direct: shared.direct[i] });
    });
}

/// Output positions of a phase, in the pass's own count.
fn spots(item: &Item, stride: [usize; 2], phase: [usize; 2]) -> crate::tensor::Rect {
    let r = item.output.rect;
    let up = |x: isize, a: usize| -(-(x - phase[a] as isize)).div_euclid(stride[a] as isize);
    crate::tensor::Rect::new(up(r.y0, 0), up(r.x0, 1), up(r.y1, 0), up(r.x1, 1))
}

fn push(g: &Geometry, packed: &Packed, group: usize) -> Pass {
    let (ci, co) = (g.inputs / g.groups, g.outputs / g.groups);
    let w = &g.window;
    let sx = w.stride[1] as isize;
    let mut taps = Vec::new();
    for ky in 0..w.kernel[0] {
        for kx in 0..w.kernel[1] {
            let x = (w.dilation[1] * kx) as isize - w.pad[1] as isize;
            let dy = (w.dilation[0] * ky) as isize - w.pad[0] as isize;
            taps.push(Tap { dy, phase: x.rem_euclid(sx), du: x.div_euclid(sx) });
        }
    }
    Pass {
        tile: taps.len() * ci * ROWS,
        taps,
        blocks: Vec::new(),
        channels: (group * ci..(group + 1) * ci).map(|c| c as u32).collect(),
        weights: group * packed.group,
        output: group * co,
        rows: co,
        stride: w.stride[0] as isize,
        step: 1,
        runs: Vec::new(),
        cuts: Vec::new(),
        columns: 0,
    }
}

/// Tiles of four forward outputs in which some signal is not zero.
pub fn active(g: &Geometry, group: usize, items: &[Item]) -> Vec<usize> {
    let co = g.outputs / g.groups;
    let lit = |o: usize| {
        items.iter().any(|i| {
            let r = i.input.rect;
            (r.y0..r.y1).any(|y| r.w() > 0 && i.input.line(group * co + o, y).iter().any(|v| *v != 0.0))
        })
    };
    (0..co.div_ceil(ROWS)).filter(|t| (t * ROWS..co.min((t + 1) * ROWS)).any(lit)).collect()
}

fn pull(g: &Geometry, packed: &Packed, group: usize, active: &[usize], phase: [usize; 2]) -> Pass {
    let (ci, co) = (g.inputs / g.groups, g.outputs / g.groups);
    let w = &g.window;
    let all = w.kernel[0] * w.kernel[1];
    let hit = |a: usize, k: usize| {
        let v = (phase[a] + w.pad[a]) as isize - (w.dilation[a] * k) as isize;
        let s = w.stride[a] as isize;
        (v.rem_euclid(s) == 0).then(|| v.div_euclid(s))
    };
    let (mut taps, mut blocks) = (Vec::new(), Vec::new());
    for ky in 0..w.kernel[0] {
        for kx in 0..w.kernel[1] {
            let (Some(dy), Some(du)) = (hit(0, ky), hit(1, kx)) else { continue };
            taps.push(Tap { dy, phase: 0, du });
            let t = ky * w.kernel[1] + kx;
            blocks.extend(active.iter().map(|a| ((a * all + t) * ci * ROWS) as u32));
        }
    }
    let channels = active
        .iter()
        .flat_map(|a| a * ROWS..(a + 1) * ROWS)
        .map(|o| if o < co { (group * co + o) as u32 } else { ABSENT })
        .collect();
    Pass {
        taps,
        blocks,
        channels,
        weights: group * packed.group,
        // The rows of the transpose are inputs; four of them are the four blocks of four values in a row.
        tile: ROWS * ROWS,
        output: group * ci,
        rows: ci,
        stride: 1,
        step: w.stride[1],
        runs: Vec::new(),
        cuts: Vec::new(),
        columns: 0,
    }
}

/// Where a block of a 1×1 convolution can be read as it lies in the input: address and plane.
fn in_place(pass: &Pass, cut: usize, items: &[Item]) -> Option<(usize, usize)> {
    let [tap] = pass.taps[..] else { return None };
    let (first, columns) = pass.cuts[cut];
    let end = pass.cuts.get(cut + 1).map_or(pass.runs.len(), |c| c.0);
    let runs = &pass.runs[first..end];
    let neighbours = pass.channels.windows(2).all(|c| c[1] == c[0].wrapping_add(1));
    if pass.stride != 1 || tap.phase != 0 || !neighbours || pass.channels.contains(&ABSENT) {
        return None;
    }
    let v = &items[runs[0].item as usize].input;
    // Planes a multiple of the page apart would all fall into the same cache sets.
    if (v.plane + 16) % 1024 < 32 || pass.channels.is_empty() {
        return None;
    }
    let at = pack::contiguous(items, &runs[0], tap)?;
    for run in runs {
        if run.item != runs[0].item || pack::contiguous(items, run, tap)? != at + run.column as usize {
            return None;
        }
    }
    let from = at + pass.channels[0] as usize * v.plane;
    // Whole vectors are read: the widest tile past the last channel's columns must still be there.
    let last = from + (pass.channels.len() - 1) * v.plane + columns.next_multiple_of(24);
    (last <= v.data.len()).then(|| (v.data[from..].as_ptr() as usize, v.plane))
}
