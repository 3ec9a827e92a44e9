//! Partial recomputation: what a change in part of the input changes, and nothing else.
//!
//! A changed rectangle of the input dirties a rectangle of every layer above it, which grows with
//! each window (KRY19's incremental inference). Each layer's patch is the dirty rectangle plus the rim
//! its readers look at, filled from the unchanged trace. Many changes go up together, so that their
//! small rectangles share one packed product per layer.

use super::plan::{self, Offset, Place};
use super::{Net, Trace};
use crate::kernel::parallel;
use crate::layer::Push;
use crate::tensor::{Rect, Shape, Tensor, View};
use std::sync::{Mutex, PoisonError};

/// One changed input on its way up.
struct Item {
    /// Per node: what of its plane differs from the unchanged trace.
    dirty: Vec<Rect>,
    /// Per owner of an array: values over the dirty rectangle and its readers' rims.
    patches: Vec<Option<Tensor>>,
    /// Per owner: the rectangle of its patch.
    extent: Vec<Rect>,
}

/// What became of one layer under one change.
pub(crate) struct Changed {
    /// The new values over the rectangle that can differ; empty where nothing can.
    pub(crate) values: Tensor,
}

/// Calls `f` for every item and what belongs to it, on so many threads.
fn spread<T: Send, A: Sync>(items: &mut [T], threads: usize, with: &[A], f: &(dyn Fn(&mut T, &A) + Sync)) {
    // Each lock is taken once: it only hands an item to whichever thread comes for it.
    let slots: Vec<Mutex<&mut T>> = items.iter_mut().map(Mutex::new).collect();
    parallel::for_each(slots.len(), threads, &|i| {
        f(&mut slots[i].lock().unwrap_or_else(PoisonError::into_inner), &with[i]);
    });
}

impl Net {
    /// Recomputes what `changes` (new input values over rectangles, one per image) change of `base`, and
    /// returns for each change the new values of the nodes in `keep`, over what can differ.
    pub(crate) fn recompute(&self, base: &Trace, changes: &[Tensor], keep: &[usize]) -> Vec<Vec<Changed>> {
        let mut items: Vec<Item> = changes.iter().map(|c| self.item(base, c, keep)).collect();
        let last_use = self.last_use(base.shapes(), keep);
        for i in 1..self.nodes.len() {
            self.level(base, &mut items, i);
            for item in &mut items {
                for (owner, patch) in item.patches.iter_mut().enumerate() {
                    if last_use[owner] == i {
                        *patch = None;
                    }
                }
            }
        }
        items.iter().map(|item| keep.iter().map(|&k| self.changed(base, item, k)).collect()).collect()
    }

    /// An upper bound of the bytes one change of the input's rectangle `rect` needs on its way up.
    pub(crate) fn recompute_bytes(&self, base: &Trace, rect: Rect) -> usize {
        let (_, extent) = self.extents(base.shapes(), rect, &[]);
        extent.iter().enumerate().map(|(i, r)| base.shape(i).c * r.area() * 4).sum()
    }

    fn item(&self, base: &Trace, change: &Tensor, keep: &[usize]) -> Item {
        let (dirty, extent) = self.extents(base.shapes(), change.rect, keep);
        let mut patches: Vec<Option<Tensor>> = (0..self.nodes.len()).map(|_| None).collect();
        let mut input = Tensor::zeros(base.shape(0).c, extent[0]);
        input.view_mut().copy_from(base.view(0).expect("the input is kept"));
        input.view_mut().copy_from(change.view());
        patches[0] = Some(input);
        Item { dirty, patches, extent }
    }

    /// Dirty rectangles of all nodes, and patch rectangles of all owners.
    fn extents(&self, shapes: &[Shape], change: Rect, keep: &[usize]) -> (Vec<Rect>, Vec<Rect>) {
        let n = self.nodes.len();
        let (mut dirty, mut extent) = (vec![Rect::default(); n], vec![Rect::default(); n]);
        dirty[0] = change.intersect(&shapes[0].rect());
        extent[0] = dirty[0];
        for i in 1..n {
            let node = &self.nodes[i];
            let layer = &node.layer;
            let reach = node.inputs.iter().map(|&k| layer.reaches(&dirty[k], shapes[i]));
            let rect = reach.fold(Rect::default(), |a, r| a.union(&r)).intersect(&shapes[i].rect());
            dirty[i] = if rect.is_empty() { Rect::default() } else { rect };
            let (owner, _) = self.locate(i, shapes);
            extent[owner] = extent[owner].union(&dirty[i]);
            for &k in &node.inputs {
                let (owner, _) = self.locate(k, shapes);
                let rim = if layer.updates() {
                    dirty[k]
                } else {
                    layer.reads(&dirty[i], shapes[k]).intersect(&shapes[k].rect())
                };
                if !rim.is_empty() {
                    extent[owner] = extent[owner].union(&rim);
                }
            }
        }
        for &k in keep {
            let (owner, _) = self.locate(k, shapes);
            extent[owner] = extent[owner].union(&dirty[k]);
        }
        (dirty, extent)
    }

    /// For each owner the last node that reads its array; kept ones are never given up.
    fn last_use(&self, shapes: &[Shape], keep: &[usize]) -> Vec<usize> {
        let mut last = vec![0; self.nodes.len()];
        for (i, node) in self.nodes.iter().enumerate() {
            // A fused ReLU reads what its convolution reads, at its own turn.
            let (before, _) = plan::behind(&self.nodes, i);
            let fused = i > 0 && self.nodes[before].fused_relu == Some(i);
            let reads = if fused { &self.nodes[before].inputs } else { &node.inputs };
            for &k in reads {
                last[self.locate(k, shapes).0] = i;
            }
        }
        for &k in keep {
            last[self.locate(k, shapes).0] = usize::MAX;
            let (owner, _) = self.locate(k, shapes);
            if self.nodes[owner].place == Place::Fused {
                for &r in &self.nodes[owner].inputs {
                    last[self.locate(r, shapes).0] = usize::MAX;
                }
            }
        }
        last
    }

    /// Computes node `i` for all items whose change reaches it.
    fn level(&self, base: &Trace, items: &mut [Item], i: usize) {
        let node = &self.nodes[i];
        let (before, _) = plan::behind(&self.nodes, i);
        let fused = self.nodes[before].fused_relu == Some(i);
        let joined = node.inputs.iter().any(
            |&k| matches!(self.nodes[k].place, Place::Within { of, channel_of: Offset::Input(_) } if of == i),
        );
        if node.place == Place::Fused || node.layer.is_identity() || joined {
            return;
        }
        let run = if fused { before } else { i };
        let layer = &self.nodes[run].layer;
        let reads = &self.nodes[run].inputs;
        let shapes: Vec<Shape> = reads.iter().map(|&k| base.shape(k)).collect();
        let (owner, channel) = self.locate(i, base.shapes());
        let c = base.shape(i).c;
        let whole = c == base.shape(owner).c && !layer.updates();
        let mut outputs = self.patches(base, items, i, owner, whole);
        {
            let inputs: Vec<Vec<View>> = outputs
                .iter()
                .map(|(n, _)| reads.iter().map(|&k| self.current(base, &items[*n], k)).collect())
                .collect();
            if layer.updates() {
                let work = inputs.iter().map(|v| v[0].channels * v[0].rect.area()).sum();
                let old = base.view(reads[0]).expect("kept");
                spread(&mut outputs, parallel::threads(work), &inputs, &|(n, out), new| {
                    let dirty = items[*n].dirty[reads[0]];
                    let out = out.view_mut().slice(channel, c);
                    layer.update(old.crop(dirty), new[0].crop(dirty), shapes[0], out);
                });
            } else {
                let mut pushes: Vec<Push> = outputs
                    .iter_mut()
                    .zip(&inputs)
                    .map(|((n, out), inputs)| Push {
                        inputs,
                        shapes: &shapes,
                        output: out.view_mut().slice(channel, c).crop(items[*n].dirty[i]),
                        switches: None,
                    })
                    .collect();
                if layer.packs() {
                    layer.forward(&mut pushes, fused);
                } else {
                    let work = pushes.iter().map(|p| c * p.output.rect.area() * layer.work()).sum();
                    let each = vec![(); pushes.len()];
                    spread(&mut pushes, parallel::threads(work), &each, &|push, ()| {
                        layer.forward(std::slice::from_mut(push), fused);
                    });
                }
            }
        }
        for (n, out) in outputs {
            items[n].patches[owner] = Some(out);
        }
    }

    /// The patches that node `i` writes into, of all items whose change reaches it. A fresh one holds the
    /// unchanged values, unless `whole` channels are about to be written and no reader looks past them.
    fn patches(
        &self,
        base: &Trace,
        items: &mut [Item],
        i: usize,
        owner: usize,
        whole: bool,
    ) -> Vec<(usize, Tensor)> {
        let reached = items.iter_mut().enumerate().filter(|(_, item)| !item.dirty[i].is_empty());
        let mut found: Vec<(usize, Option<Tensor>, Rect, bool)> = reached
            .map(|(n, item)| {
                let extent = item.extent[owner];
                (n, item.patches[owner].take(), extent, whole && extent == item.dirty[i])
            })
            .collect();
        let channels = base.shape(owner).c;
        let missing = found.iter().filter(|f| f.1.is_none()).map(|f| channels * f.2.area()).sum();
        let unchanged = base.view(owner).expect("owners are kept");
        let each = vec![(); found.len()];
        spread(&mut found, parallel::threads(missing), &each, &|(_, patch, extent, written), ()| {
            if patch.is_none() {
                *patch = Some(if *written {
                    Tensor::zeros(channels, *extent)
                } else {
                    unchanged.crop(*extent).to_tensor()
                });
            }
        });
        found.into_iter().map(|(n, patch, ..)| (n, patch.expect("just made"))).collect()
    }

    /// A node's values under a change: its patch, or the unchanged ones where the change does not reach.
    fn current<'a>(&self, base: &'a Trace, item: &'a Item, node: usize) -> View<'a> {
        let (owner, channel) = self.locate(node, base.shapes());
        match &item.patches[owner] {
            Some(patch) => patch.view().slice(channel, base.shape(node).c),
            None => base.view(node).expect("read layers are kept"),
        }
    }

    fn changed(&self, base: &Trace, item: &Item, node: usize) -> Changed {
        let dirty = item.dirty[node];
        let (owner, _) = self.locate(node, base.shapes());
        if dirty.is_empty() {
            return Changed { values: Tensor::zeros(base.shape(node).c, Rect::default()) };
        }
        if self.nodes[owner].place != Place::Fused {
            return Changed { values: self.current(base, item, node).crop(dirty).to_tensor() };
        }
        // Asked for before its ReLU: computed once more, unrectified.
        let reads = &self.nodes[owner].inputs;
        let inputs: Vec<View> = reads.iter().map(|&k| self.current(base, item, k)).collect();
        let shapes: Vec<Shape> = reads.iter().map(|&k| base.shape(k)).collect();
        let mut values = Tensor::zeros(base.shape(node).c, dirty);
        let output = values.view_mut();
        self.nodes[owner]
            .layer
            .forward(&mut [Push { inputs: &inputs, shapes: &shapes, output, switches: None }], false);
        Changed { values }
    }
}
