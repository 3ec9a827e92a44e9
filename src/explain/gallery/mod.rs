//! Galleries (ZF14 Fig. 2): the nine inputs that excite each feature map most, out of a whole set.
//!
//! Each input counts once for each map, with its maximum over the plane and over the windows it is
//! searched in. What is kept of a set does not grow with it: the strongest entries of every map, and
//! a histogram of all maxima by which a further input can be ranked. Galleries of parts of a set merge
//! into that of the whole set, in any order and grouping, to the same bytes.

mod cell;
mod collect;
mod merge;
mod rank;
mod search;

pub use crate::format::gallery::{Entry, Gallery, Header, Map, Photo};
pub use cell::{Cell, cell, cells, field, from_trace, pass, see, together, window, window_of};
pub use collect::{add, empty, settle};
pub use merge::{merge, select, unite};
pub use rank::{Rank, found, rank, ranks};
pub use search::{Found, Peak, Search};

use crate::error::{Error, Result};
use crate::net::Net;

/// Largest relative difference at which a recomputed entry still is the stored one.
pub const TOLERANCE: f32 = 1e-3;

/// Whether no input excites a map: behind a ReLU it stays zero, before one it never gets above.
pub fn is_dead(map: &Map) -> bool {
    map.entries.first().is_none_or(|e| e.value <= 0.0)
}

/// The nodes of a gallery's layers in a network.
///
/// # Errors
/// `Unsupported` where the gallery was built with a network of another name, other layers or maps. Other
/// weights under the same name are no error here: compare [`Header::weights`] with [`Net::fingerprint`].
pub fn nodes(gallery: &Gallery, net: &Net) -> Result<Vec<usize>> {
    let header = &gallery.header;
    let other = |what: String| {
        Error::Unsupported(format!(
            "this gallery was built with {}, not with {}: {what}; build it anew with this network",
            header.model,
            net.spec().name
        ))
    };
    if header.model != net.spec().name {
        return Err(other("their names differ".into()));
    }
    let node = |layer: &crate::format::gallery::Layer| {
        let node = net.find(&layer.name).map_err(|_| other(format!("it has no layer {}", layer.name)))?;
        let maps = net.maps(node);
        if maps == layer.maps.len() {
            return Ok(node);
        }
        Err(other(format!("{} has {maps} maps, the gallery {}", layer.name, layer.maps.len())))
    };
    gallery.layers.iter().map(node).collect()
}

/// The same, and the layers brought into the network's order, by which inputs are ranked.
///
/// # Errors
/// Those of [`nodes`].
pub fn arrange(gallery: &mut Gallery, net: &Net) -> Result<Vec<usize>> {
    let nodes = nodes(gallery, net)?;
    let mut both: Vec<_> = nodes.into_iter().zip(std::mem::take(&mut gallery.layers)).collect();
    both.sort_by_key(|(node, _)| *node);
    let (nodes, layers) = both.into_iter().unzip();
    gallery.layers = layers;
    Ok(nodes)
}
