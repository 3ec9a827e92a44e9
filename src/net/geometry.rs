//! Rectangles through the whole graph.

use super::Net;
use crate::tensor::{Rect, Shape};

impl Net {
    /// The input rectangle, unclipped, that `rect` of `node` depends on.
    pub fn field(&self, node: usize, rect: Rect, shapes: &[Shape]) -> Rect {
        let mut need = vec![Rect::default(); node + 1];
        need[node] = rect;
        for i in (1..=node).rev() {
            let r = need[i];
            if r.is_empty() {
                continue;
            }
            for &k in &self.nodes[i].inputs {
                need[k] = need[k].union(&self.nodes[i].layer.reads(&r, shapes[k]));
            }
        }
        need[0]
    }
}
