//! Galleries of parts of a set → that of the whole set. Associative and commutative.

use super::collect::{count, insert, settle};
use crate::error::{Error, Result};
use crate::format::gallery::Gallery;

/// Merges two galleries of different inputs.
///
/// # Errors
/// `Parameter` where they were not built alike (another network, weights, layers, top or scales), where one is
/// unfinished, and where an input is seen in both.
pub fn merge(mut a: Gallery, b: Gallery) -> Result<Gallery> {
    check(&a, &b)?;
    let first = a.photos.len() as u32;
    a.photos.extend(b.photos);
    a.header.searched += b.header.searched;
    a.header.skipped += b.header.skipped;
    for (layer, others) in a.layers.iter_mut().zip(b.layers) {
        for (map, other) in layer.maps.iter_mut().zip(others.maps) {
            other.histogram.into_iter().for_each(|(bin, n)| count(map, bin, n));
            for mut entry in other.entries {
                entry.photo += first;
                insert(map, entry, a.header.top, &a.photos);
            }
        }
    }
    settle(&mut a);
    Ok(a)
}

fn check(a: &Gallery, b: &Gallery) -> Result<()> {
    let differ = |what: &str, x: &dyn std::fmt::Display, y: &dyn std::fmt::Display| {
        Err(Error::Parameter(format!(
            "the galleries cannot be merged: {what} {x} in one, {y} in another; build them alike"
        )))
    };
    let (x, y) = (&a.header, &b.header);
    if x.model != y.model {
        return differ("model", &x.model, &y.model);
    }
    if x.weights != y.weights {
        return differ("weights", &x.weights, &y.weights);
    }
    if x.top != y.top {
        return differ("top", &x.top, &y.top);
    }
    if x.scales != y.scales {
        return differ("scales", &x.scales, &y.scales);
    }
    if let Some(unfinished) = x.unfinished.as_ref().or(y.unfinished.as_ref()) {
        return Err(Error::Parameter(format!(
            "one of the galleries is unfinished ({unfinished}); run its build again, it goes on where it stopped"
        )));
    }
    let names = |g: &Gallery| {
        g.layers.iter().map(|l| format!("{} ({})", l.name, l.maps.len())).collect::<Vec<_>>().join(", ")
    };
    let (x, y) = (names(a), names(b));
    if x != y {
        return differ("layers", &x, &y);
    }
    let twice = a.photos.iter().find(|p| b.photos.binary_search_by(|q| q.name.cmp(&p.name)).is_ok());
    match twice {
        Some(p) => Err(Error::Parameter(format!(
            "both galleries hold {}: an input counts once, so the parts of a set must not overlap (other photos of \
             the same name: search them from a folder above)",
            p.name
        ))),
        None => Ok(()),
    }
}

/// The part of a gallery that belongs to some of its layers.
///
/// # Errors
/// `Parameter` for a layer that it does not have.
pub fn select(mut gallery: Gallery, layers: &[String]) -> Result<Gallery> {
    for name in layers {
        if !gallery.layers.iter().any(|l| l.name == *name) {
            let names: Vec<&str> = gallery.layers.iter().map(|l| l.name.as_str()).collect();
            return Err(Error::Parameter(format!(
                "the gallery has no layer “{name}”; it has {}",
                names.join(", ")
            )));
        }
    }
    gallery.layers.retain(|l| layers.contains(&l.name));
    settle(&mut gallery);
    Ok(gallery)
}
