//! Convolution with stride 1 by Winograd's minimal filtering: transformed tiles, one product per point.
//!
//! A task takes a block of neighbouring tiles (columns of the products) and some output channels: it
//! transforms the tiles of every input channel, then for sixteen output channels at a time multiplies all
//! points and transforms back. Four neighbouring tiles of a row share each vector of the transforms.

use super::direct::{ABSENT, active};
use super::transform::{Five, Four, Tile, Two};
use super::{Filters, Geometry, Item};
use crate::kernel::gemm::{ROWS, across, along};
use crate::kernel::simd::{F4, Simd, Task, dispatch};
use crate::kernel::{parallel, scratch};
use crate::tensor::Rect;

/// Tiles of four output channels whose products are kept until they are transformed back.
const DEEP: usize = 4;
/// The same for the transpose, whose weights of neighbouring tiles lie beside each other: that many 64-byte pieces
/// are read as one stream. As long as the products take no more than so many values, a quarter of the L2 cache.
const DEEP_PULL: usize = 16;
const PRODUCTS: usize = 1 << 16;
/// Blocks of four channels that the transpose multiplies at a time: that many streams of weights.
const STREAMS: usize = 8;
/// Values of transformed input that a block may take: 1 MiB, about the L2 cache beside the weights.
const ROOM: usize = 1 << 18;
/// F(4×4, 3×3) takes four times the memory of the weights. Beyond this many values F(2×2, 3×3) with not
/// twice must do: the two largest layers of VGG16 would take 75 MB more.
const LARGE: usize = 6 << 20;

/// Transformed weights: per group and point tiles of four outputs, `[point][tile][input][4]`.
pub struct Transformed {
    size: Size,
    values: Vec<f32>,
}

/// Which tile.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Size {
    /// F(4×4, 3×3)
    Four,
    /// F(2×2, 5×5)
    Five,
    /// F(2×2, 3×3)
    Two,
}

impl Size {
    /// The tile for a convolution, if this way is faster than the direct one.
    pub fn fit(g: &Geometry) -> Option<Size> {
        let (ci, co) = (g.inputs / g.groups, g.outputs / g.groups);
        if g.window.stride != [1, 1] || g.window.dilation != [1, 1] || ci < 8 || co < 8 {
            return None;
        }
        match g.window.kernel {
            [3, 3] if 36 * ci * g.outputs > LARGE => Some(Size::Two),
            [3, 3] => Some(Size::Four),
            [5, 5] => Some(Size::Five),
            _ => None,
        }
    }

    /// Sides of the input tile, the output tile and the filter.
    fn sides(self) -> [usize; 3] {
        match self {
            Size::Four => [Four::N, Four::M, Four::R],
            Size::Five => [Five::N, Five::M, Five::R],
            Size::Two => [Two::N, Two::M, Two::R],
        }
    }
}

impl Transformed {
    /// From (outputs, inputs / groups, kh, kw).
    pub fn new(weights: &[f32], g: &Geometry, size: Size) -> Transformed {
        Transformed { size, values: transform(weights, g, size) }
    }

    /// Side of a tile's outputs.
    pub fn grid(&self) -> usize {
        self.size.sides()[1]
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        4 * self.values.len()
    }

    /// Runs the forward pass, or the transpose.
    pub fn run(&self, filters: &Filters, items: &mut [Item], rectify: bool) {
        run(self, filters, items, rectify);
    }
}

/// U = G g Gᵀ for every pair of maps, in float64 until the end.
fn transform(weights: &[f32], g: &Geometry, size: Size) -> Vec<f32> {
    let (ci, co) = (g.inputs / g.groups, g.outputs / g.groups);
    let [n, _, r] = size.sides();
    let point = co.div_ceil(ROWS) * ci * ROWS;
    let mut values = vec![0.0; g.groups * n * n * point + ROWS * ROWS];
    let rows: Vec<[f64; 5]> = (0..n)
        .map(|j| match size {
            Size::Four => Four::filter(j),
            Size::Five => Five::filter(j),
            Size::Two => Two::filter(j),
        })
        .collect();
    for o in 0..g.outputs {
        let (group, o_in) = (o / co, o % co);
        for c in 0..ci {
            let taps = &weights[(o * ci + c) * r * r..][..r * r];
            let mut half = [[0.0f64; 5]; 6];
            for (half, row) in half.iter_mut().zip(&rows) {
                for (x, half) in half.iter_mut().enumerate().take(r) {
                    *half = (0..r).map(|y| row[y] * f64::from(taps[y * r + x])).sum();
                }
            }
            for j in 0..n {
                for i in 0..n {
                    let u: f64 = (0..r).map(|x| rows[i][x] * half[j][x]).sum();
                    let at = (group * n * n + j * n + i) * point;
                    values[at + ((o_in / ROWS) * ci + c) * ROWS + o_in % ROWS] = u as f32;
                }
            }
        }
    }
    values
}

/// Neighbouring tiles in a row of tiles of one item.
#[derive(Clone, Copy)]
struct Run {
    item: usize,
    column: usize,
    n: usize,
    /// Position of the first tile's first output.
    y: isize,
    x: isize,
}

struct Shared<'a> {
    values: &'a [f32],
    bias: &'a [f32],
    rectify: bool,
    /// What the first tap of a window reads, relative to its output.
    lead: [isize; 2],
    inputs: Vec<crate::tensor::View<'a>>,
    /// Data, row, plane, rectangle of each output.
    outputs: Vec<(usize, usize, usize, Rect)>,
    groups: Vec<Group>,
    runs: Vec<Run>,
    /// Blocks: first run, columns.
    cuts: Vec<(usize, usize)>,
    /// Output channels of a group.
    rows: usize,
    /// Distances in the weights: between points, and between tiles of output rows.
    point: usize,
    tile: usize,
}

struct Group {
    channels: Vec<u32>,
    /// Transpose: offsets of 4×4 blocks, one for four channels.
    blocks: Vec<u32>,
    weights: usize,
    output: usize,
}

fn run(t: &Transformed, filters: &Filters, items: &mut [Item], rectify: bool) {
    let (g, pull) = (&filters.geometry, filters.transposed);
    let [n, m, r] = t.size.sides();
    let points = n * n;
    let (ci, co) = (g.inputs / g.groups, g.outputs / g.groups);
    let [top, left, ..] = g.window.pad.map(|p| p as isize);
    let reach = r as isize - 1;
    let lead = if pull { [top - reach, left - reach] } else { [-top, -left] };
    let point = co.div_ceil(ROWS) * ci * ROWS;
    let groups: Vec<Group> = (0..g.groups)
        .map(|group| {
            let weights = group * points * point;
            if pull {
                let active = active(g, group, items);
                let blocks = active.iter().map(|a| (a * ci * ROWS) as u32).collect();
                let channels = active
                    .iter()
                    .flat_map(|a| a * ROWS..(a + 1) * ROWS)
                    .map(|o| if o < co { (group * co + o) as u32 } else { ABSENT })
                    .collect();
                Group { channels, blocks, weights, output: group * ci }
            } else {
                let channels = (group * ci..(group + 1) * ci).map(|c| c as u32).collect();
                Group { channels, blocks: Vec::new(), weights, output: group * co }
            }
        })
        .collect();
    let rows = if pull { ci } else { co };
    let k = groups.iter().map(|g| g.channels.len()).max().unwrap_or(0);
    let side = |n: usize| n.div_ceil(m);
    let columns: usize = items.iter().map(|i| side(i.output.rect.h()) * side(i.output.rect.w())).sum();
    let threads = parallel::threads(columns * points * k * rows * g.groups);
    let (block, parts) = plan(columns, rows, k, points, threads, g.groups);
    let mut runs: Vec<Run> = Vec::new();
    let mut cuts: Vec<(usize, usize)> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let r = item.output.rect;
        for ty in 0..side(r.h()) {
            let (mut tx, mut left) = (0, side(r.w()));
            while left > 0 {
                if cuts.last().is_none_or(|c| c.1 == block) {
                    cuts.push((runs.len(), 0));
                }
                let cut = cuts.last_mut().expect("just pushed");
                let n = left.min(block - cut.1);
                let (y, x) = (r.y0 + (ty * m) as isize, r.x0 + (tx * m) as isize);
                runs.push(Run { item: i, column: cut.1, n, y, x });
                cut.1 += n;
                tx += n;
                left -= n;
            }
        }
    }
    let outputs = items
        .iter_mut()
        .map(|i| (i.output.data.as_mut_ptr() as usize, i.output.row, i.output.plane, i.output.rect))
        .collect();
    let inputs = items.iter().map(|i| i.input).collect();
    let bias = if pull { &[][..] } else { &filters.bias[..] };
    let (values, tile) = (&t.values[..], if pull { ROWS * ROWS } else { ci * ROWS });
    let shared =
        Shared { values, bias, rectify, lead, inputs, outputs, groups, runs, cuts, rows, point, tile };
    let tiles = rows.div_ceil(ROWS);
    let n = shared.cuts.len() * shared.groups.len() * parts;
    parallel::for_each(n, threads, &|i| {
        let (part, i) = (i % parts, i / parts);
        let (cut, group) = (i % shared.cuts.len(), &shared.groups[i / shared.cuts.len()]);
        let tiles = [tiles * part / parts, tiles * (part + 1) / parts];
        dispatch(Block { shared: &shared, group, cut, tiles, size: t.size, pull });
    });
}

/// Columns of a block, and into how many parts the output channels are split.
fn plan(
    columns: usize,
    rows: usize,
    k: usize,
    points: usize,
    threads: usize,
    groups: usize,
) -> (usize, usize) {
    let eight = columns.div_ceil(8).max(1);
    let most = (ROOM / (points * k.max(1)) / 8).clamp(3, 8);
    let blocks = eight.div_ceil(most);
    if threads == 1 || groups.is_multiple_of(threads) {
        return (eight.div_ceil(blocks) * 8, 1);
    }
    let even = blocks.next_multiple_of(threads);
    let per = eight.div_ceil(even);
    // Splitting tiles leaves threads idle at the end; splitting channels transforms the input twice.
    let idle = (per * even) as f32 / eight as f32;
    let twice = 1.0 + 8.0 / rows as f32 * (threads - 1) as f32;
    if idle <= twice || rows < 8 * threads {
        return (per * 8, 1);
    }
    (eight.div_ceil(blocks) * 8, threads)
}

struct Block<'a, 'b> {
    shared: &'a Shared<'b>,
    group: &'a Group,
    cut: usize,
    tiles: [usize; 2],
    size: Size,
    pull: bool,
}

impl Task for Block<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        match (self.size, self.pull) {
            (Size::Four, false) => self.tiles::<S, Four, false>(),
            (Size::Four, true) => self.tiles::<S, Four, true>(),
            (Size::Five, false) => self.tiles::<S, Five, false>(),
            (Size::Five, true) => self.tiles::<S, Five, true>(),
            (Size::Two, false) => self.tiles::<S, Two, false>(),
            (Size::Two, true) => self.tiles::<S, Two, true>(),
        }
    }
}

impl Block<'_, '_> {
    #[inline(always)]
    fn tiles<S: Simd, T: Tile, const PULL: bool>(self) {
        let Block { shared, group, cut, tiles, .. } = self;
        let (first, columns) = shared.cuts[cut];
        let end = shared.cuts.get(cut + 1).map_or(shared.runs.len(), |c| c.0);
        let runs = &shared.runs[first..end];
        let wide = S::LANES * S::PANEL;
        // Whole vectors of four tiles may reach past the last column; an odd number of 32-byte units
        // spreads rows, and 64 bytes more points, over the cache sets.
        let ld = (columns.next_multiple_of(wide) + 8) / 8 * 8;
        let ld = if ld / 8 % 2 == 0 { ld + 8 } else { ld };
        let points = T::N * T::N;
        let k = group.channels.len();
        let most = if PULL { (PRODUCTS / (points * ROWS * ld)).clamp(DEEP, DEEP_PULL) } else { DEEP };
        let apart = [k * ld + 16, most * ROWS * ld + 16];
        let mut room = scratch::take(points * (apart[0] + apart[1]));
        let (v, m) = room.split_at_mut(points * apart[0]);
        let (v, m) = (v.as_mut_ptr(), m.as_mut_ptr());
        // SAFETY: `v` holds k rows of ld for every point, `m` four for each of `most` tiles; runs lie inside the blocks'
        // columns, and no two tasks share outputs.
        unsafe {
            for run in runs {
                gather::<T, PULL>(shared, group, run, v, ld, apart[0]);
            }
            let mut tile = tiles[0];
            while tile < tiles[1] {
                let deep = most.min(tiles[1] - tile);
                dispatch(Points { shared, group, tile, deep, points, v, m, apart, columns, ld });
                for row in 0..(deep * ROWS).min(shared.rows - tile * ROWS) {
                    for run in runs {
                        scatter::<T, PULL>(shared, group, run, tile * ROWS + row, m.add(row * ld), apart[1]);
                    }
                }
                tile += deep;
            }
        }
    }
}

/// The products of all points for `deep` tiles of output rows. A task of its own, so that it is compiled once
/// and not for every size and direction.
struct Points<'a, 'b> {
    shared: &'a Shared<'b>,
    group: &'a Group,
    tile: usize,
    deep: usize,
    points: usize,
    v: *const f32,
    m: *mut f32,
    apart: [usize; 2],
    columns: usize,
    ld: usize,
}

impl Task for Points<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for p in 0..self.points {
            let at = self.group.weights + p * self.shared.point + self.tile * self.shared.tile;
            let mut j = 0;
            while j < self.columns {
                // SAFETY: rows of v and m have room for whole panels.
                unsafe {
                    let a = self.shared.values.as_ptr().add(at);
                    let (v, m) = (self.v.add(p * self.apart[0] + j), self.m.add(p * self.apart[1] + j));
                    match (self.columns - j).div_ceil(S::LANES).min(S::PANEL) {
                        1 => self.panel::<S, 1>(a, v, m),
                        2 => self.panel::<S, 2>(a, v, m),
                        _ if S::PANEL >= 3 => self.panel::<S, 3>(a, v, m),
                        _ => unreachable!("no more vectors than a panel has"),
                    }
                }
                j += S::LANES * S::PANEL;
            }
        }
    }
}

impl Points<'_, '_> {
    #[inline(always)]
    unsafe fn panel<S: Simd, const N: usize>(&self, a: *const f32, v: *const f32, m: *mut f32) {
        // SAFETY: the weights of a tile are k·4 values, or the blocks' 4×4; the rest as above.
        unsafe {
            if self.group.blocks.is_empty() {
                for tile in 0..self.deep {
                    let mut acc = [[S::splat(0.0); N]; ROWS];
                    let a = a.add(tile * self.shared.tile);
                    along(self.group.channels.len(), a, v, self.ld, &mut acc);
                    self.store(tile, m, &acc);
                }
            }
            for (i, blocks) in self.group.blocks.chunks(STREAMS).enumerate() {
                for tile in 0..self.deep {
                    let mut acc = if i == 0 { [[S::splat(0.0); N]; ROWS] } else { self.load(tile, m) };
                    let a = a.add(tile * self.shared.tile);
                    across(blocks, a, v.add(i * STREAMS * ROWS * self.ld), self.ld, &mut acc);
                    self.store(tile, m, &acc);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn load<S: Simd, const N: usize>(&self, tile: usize, m: *const f32) -> [[S; N]; ROWS] {
        // SAFETY: a tile has four rows of whole panels.
        std::array::from_fn(|i| {
            std::array::from_fn(|n| unsafe { S::load(m.add((tile * ROWS + i) * self.ld + n * S::LANES)) })
        })
    }

    #[inline(always)]
    unsafe fn store<S: Simd, const N: usize>(&self, tile: usize, m: *mut f32, acc: &[[S; N]; ROWS]) {
        for (i, row) in acc.iter().enumerate() {
            for (n, x) in row.iter().enumerate() {
                // SAFETY: as in `load`.
                unsafe { x.store(m.add((tile * ROWS + i) * self.ld + n * S::LANES)) };
            }
        }
    }
}

/// Columns of a patch: what four tiles read, in whole vectors.
const PATCH: usize = 20;

/// Transforms a run's tiles of every channel.
#[inline(always)]
unsafe fn gather<T: Tile, const PULL: bool>(
    shared: &Shared,
    group: &Group,
    run: &Run,
    v: *mut f32,
    ld: usize,
    point: usize,
) {
    let input = &shared.inputs[run.item];
    let r = input.rect;
    let wide = 3 * T::M + T::N;
    let most = group.channels.iter().filter(|c| **c != ABSENT).max().copied().unwrap_or(0) as usize;
    let mut patch = [0.0f32; 6 * PATCH];
    for quad in (0..run.n).step_by(4) {
        let y = run.y + shared.lead[0];
        let x = run.x + (quad * T::M) as isize + shared.lead[1];
        let need = T::M * (run.n - quad).min(4) + T::N - T::M;
        let (last, end) = (y + T::N as isize - 1, x + need as isize);
        // Reads whole vectors, so the data must go on for as long.
        let inside = y >= r.y0 && last < r.y1 && x >= r.x0 && end <= r.x1 && {
            input.index(most, last, x) + PATCH <= input.data.len()
        };
        let clip = Rect::new(y, x, last + 1, x + wide as isize).intersect(&r);
        patch.fill(0.0);
        let patch = patch.as_mut_ptr();
        for (k, &c) in group.channels.iter().enumerate() {
            // SAFETY: column + quad + 4 ≤ ld; `inside` or the clipped rectangle bounds what is read.
            unsafe {
                let out = v.add(k * ld + run.column + quad);
                if c == ABSENT {
                    for p in 0..T::N * T::N {
                        F4::splat(0.0).store(out.add(p * point));
                    }
                    continue;
                }
                let (mut from, mut row) = (patch.cast_const(), PATCH);
                if inside {
                    (from, row) = (input.data.as_ptr().add(input.index(c as usize, y, x)), input.row);
                } else if !clip.is_empty() {
                    let to = patch.add((clip.x0 - x) as usize);
                    let from = input.data.as_ptr().add(input.index(c as usize, clip.y0, clip.x0));
                    for i in 0..clip.h() {
                        let from = from.add(i * input.row);
                        let to = to.add((i + (clip.y0 - y) as usize) * PATCH);
                        let whole = clip.w() / 4 * 4;
                        for j in (0..whole).step_by(4) {
                            F4::load(from.add(j)).store(to.add(j));
                        }
                        for j in whole..clip.w() {
                            *to.add(j) = *from.add(j);
                        }
                    }
                }
                forward::<T, PULL>(from, row, out, point);
            }
        }
    }
}

/// Bᵀ d B of four neighbouring tiles.
#[inline(always)]
unsafe fn forward<T: Tile, const PULL: bool>(from: *const f32, row: usize, out: *mut f32, point: usize) {
    let zero = F4::splat(0.0);
    let mut w = [[zero; 6]; 6];
    for (y, w) in w.iter_mut().enumerate().take(T::N) {
        // SAFETY: the caller grants PATCH values of each of N rows.
        *w = T::input::<PULL>(unsafe { tiles::<T>(from.add(y * row)) });
    }
    for x in 0..T::N {
        let column = T::input::<PULL>(std::array::from_fn(|y| w[y][x]));
        for (y, value) in column.into_iter().enumerate().take(T::N) {
            // SAFETY: one vector for each point.
            unsafe { value.store(out.add((y * T::N + x) * point)) };
        }
    }
}

/// Column j of four tiles, for each j: tiles are M apart.
#[inline(always)]
unsafe fn tiles<T: Tile>(p: *const f32) -> [F4; 6] {
    // SAFETY: within PATCH values.
    unsafe {
        let at = |i: usize| F4::load(p.add(i));
        if T::M == 4 {
            let [a, b, c, d] = F4::transpose([at(0), at(4), at(8), at(12)]);
            let [e, f, ..] = F4::transpose([at(4), at(8), at(12), at(16)]);
            [a, b, c, d, e, f]
        } else {
            let [a, b] = at(0).unzip(at(4));
            let [c, d] = at(2).unzip(at(6));
            let [e, f] = if T::N == 6 { at(4).unzip(at(8)) } else { [c, d] };
            [a, b, c, d, e, f]
        }
    }
}

/// Transforms a run's products of one output channel back and writes them, clipped to the output.
#[inline(always)]
unsafe fn scatter<T: Tile, const PULL: bool>(
    shared: &Shared,
    group: &Group,
    run: &Run,
    row: usize,
    m: *const f32,
    point: usize,
) {
    let (data, pitch, plane, r) = shared.outputs[run.item];
    let channel = group.output + row;
    let bias = F4::splat(shared.bias.get(channel).copied().unwrap_or(0.0));
    let rows = (r.y1 - run.y).min(T::M as isize) as usize;
    let wide = 4 * T::M;
    for quad in (0..run.n).step_by(4) {
        let x = run.x + (quad * T::M) as isize;
        let columns = ((r.x1 - x) as usize).min(T::M * (run.n - quad)).min(wide);
        // SAFETY: the tiles' columns in m; rows × columns values of the output's rectangle.
        unsafe {
            let m = m.add(run.column + quad);
            let mut half = [[bias; 6]; 4];
            for i in 0..T::N {
                let column = std::array::from_fn(|j| {
                    if j < T::N { F4::load(m.add((j * T::N + i) * point)) } else { bias }
                });
                let y = T::output::<PULL>(column);
                for j in 0..T::M {
                    half[j][i] = y[j];
                }
            }
            let start = channel * plane + (run.y - r.y0) as usize * pitch + (x - r.x0) as usize;
            let out = (data as *mut f32).add(start);
            let mut side = [0.0f32; 16];
            for (j, half) in half.iter().enumerate().take(T::M) {
                let mut y = T::output::<PULL>(*half).map(|v| v.add(bias));
                if shared.rectify {
                    y = y.map(F4::relu);
                }
                if j >= rows {
                    break;
                }
                let lines = if T::M == 4 {
                    F4::transpose(y)
                } else {
                    let [a, b] = y[0].zip(y[1]);
                    [a, b, a, b]
                };
                let out = out.add(j * pitch);
                if columns == wide {
                    for (i, line) in lines.iter().enumerate().take(T::M) {
                        line.store(out.add(4 * i));
                    }
                } else {
                    for (i, line) in lines.iter().enumerate().take(T::M) {
                        line.store(side.as_mut_ptr().add(4 * i));
                    }
                    for (i, value) in side.iter().enumerate().take(columns) {
                        *out.add(i) = *value;
                    }
                }
            }
        }
    }
}
