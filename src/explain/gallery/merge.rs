//! Galleries of parts of a set → that of the whole set. Associative and commutative.

use super::collect::{count, insert, settle};
use crate::error::{Error, Result};
use crate::format::gallery::{Gallery, Layer};
use std::collections::BTreeMap;

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

/// Galleries of which some hold only some of the layers → one of all of `layers`, or of all that any holds where none is named:
/// layer by layer the galleries that hold it are merged. Layers come in the order of the gallery with most of them, others after
/// it by name.
///
/// # Errors
/// Those of [`merge`] and [`select`]; `Parameter` where the layers were not searched over equally many inputs.
pub fn unite(all: Vec<Gallery>, layers: &[String]) -> Result<Gallery> {
    let names = |g: &Gallery| g.layers.iter().map(|l| l.name.clone()).collect::<Vec<_>>();
    let Some(most) = all.iter().map(names).max_by_key(Vec::len) else {
        return Err(Error::Parameter("there is no gallery to merge".into()));
    };
    let place = |l: &str| (most.iter().position(|m| m == l).unwrap_or(usize::MAX), l.to_owned());
    let mut wanted: Vec<String> =
        if layers.is_empty() { all.iter().flat_map(names).collect() } else { layers.to_vec() };
    wanted.sort_by_key(|l| place(l));
    wanted.dedup();
    let mut whole: Option<Gallery> = None;
    for name in &wanted {
        let only = std::slice::from_ref(name);
        let mut holders = all.iter().filter(|g| names(g).contains(name));
        let first = select(holders.next().unwrap_or(&all[0]).clone(), only)?;
        let layer = holders.try_fold(first, |a, b| merge(a, select(b.clone(), only)?))?;
        whole = Some(match whole {
            None => layer,
            Some(before) => join(before, layer)?,
        });
    }
    whole.ok_or_else(|| Error::Parameter("the galleries hold no layer; build them anew".into()))
}

/// Other layers of the same inputs beside those that there are.
fn join(mut a: Gallery, b: Gallery) -> Result<Gallery> {
    let (x, y) = (&a.header, &b.header);
    if x != y {
        let (one, other) = (&a.layers[0].name, &b.layers[0].name);
        if (&x.model, &x.weights, x.top, x.scales) != (&y.model, &y.weights, y.top, y.scales) {
            return Err(Error::Parameter(format!(
                "the galleries cannot be merged: {one} and {other} were not searched alike (network, weights, entries or windows \
                 differ); build them alike"
            )));
        }
        return Err(Error::Parameter(format!(
            "the galleries cannot be merged: layers {one} and {other} were searched over {} and {} inputs, with {} and {} skipped; \
             give galleries that hold the same layers, or name layers that all of them hold",
            x.searched, y.searched, x.skipped, y.skipped
        )));
    }
    let mut numbers: BTreeMap<String, usize> =
        a.photos.iter().enumerate().map(|(i, p)| (p.name.clone(), i)).collect();
    let mut new = Vec::with_capacity(b.photos.len());
    for photo in b.photos {
        let i = *numbers.entry(photo.name.clone()).or_insert(a.photos.len());
        if i == a.photos.len() {
            a.photos.push(photo);
        } else if a.photos[i] != photo {
            return Err(Error::Parameter(format!(
                "the galleries cannot be merged: {} has one size in one and another in another; an input counts once",
                photo.name
            )));
        }
        new.push(i as u32);
    }
    for Layer { name, mut maps } in b.layers {
        maps.iter_mut().flat_map(|m| &mut m.entries).for_each(|e| e.photo = new[e.photo as usize]);
        a.layers.push(Layer { name, maps });
    }
    settle(&mut a);
    Ok(a)
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
