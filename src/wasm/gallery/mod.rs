//! Galleries: opened, asked, ranked in.

mod cells;
mod job;

pub use cells::GalleryCells;
pub use job::GalleryJob;

use super::net::{Net, Pass};
use super::trace::Trace;
use super::value::{Answer, floats, numbers, object, position, thrown};
use crate::error::{Error, Result};
use crate::explain::gallery::{self, Found, Search, is_dead};
use crate::format::gallery as format;
use crate::image::{self, Picture};
use crate::net;
use js_sys::{Array, Float32Array, Int32Array, Uint8Array, Uint32Array};
use std::sync::Arc;
use wasm_bindgen::Clamped;
use wasm_bindgen::prelude::*;

type Bound<T> = std::result::Result<T, JsValue>;

/// A gallery that belongs to a network.
#[wasm_bindgen]
pub struct Gallery {
    net: Arc<net::Net>,
    gallery: format::Gallery,
    nodes: Vec<usize>,
}

#[wasm_bindgen]
impl Net {
    /// Opens a gallery file.
    pub fn gallery(&self, bytes: &[u8]) -> Bound<Gallery> {
        Gallery::new(self.inner(), format::read(bytes)).map_err(thrown)
    }

    /// Starts building one, or goes on with one.
    #[wasm_bindgen(js_name = galleryJob)]
    pub fn gallery_job(
        &self,
        layers: Vec<String>,
        top: usize,
        scales: u8,
        into: Option<Gallery>,
    ) -> Bound<GalleryJob> {
        GalleryJob::new(self.inner(), &layers, top, scales, into).map_err(thrown)
    }
}

impl Gallery {
    fn new(net: Arc<net::Net>, gallery: Result<format::Gallery>) -> Result<Gallery> {
        let mut gallery = gallery?;
        let nodes = gallery::arrange(&mut gallery, &net)?;
        Ok(Gallery { net, gallery, nodes })
    }

    fn search(&self) -> Result<Search> {
        let layers: Vec<String> = self.gallery.layers.iter().map(|l| l.name.clone()).collect();
        Search::new(self.net.clone(), &layers, self.gallery.header.top, self.gallery.header.scales)
    }

    fn find(&self, layer: &str) -> Result<usize> {
        self.gallery.layers.iter().position(|l| l.name == layer).ok_or_else(|| {
            let names: Vec<&str> = self.gallery.layers.iter().map(|l| l.name.as_str()).collect();
            Error::Parameter(format!("the gallery has no layer “{layer}”; it has {}", names.join(", ")))
        })
    }

    fn map(&self, layer: &str, map: usize) -> Result<(usize, &format::Map)> {
        let l = self.find(layer)?;
        let maps = &self.gallery.layers[l].maps;
        let found = maps.get(map).ok_or_else(|| {
            Error::Parameter(format!("{layer} has maps 0 to {}, there is no map {map}", maps.len() - 1))
        })?;
        Ok((l, found))
    }

    fn window(&self, photo: u32, window: u8) -> Result<[f64; 4]> {
        gallery::window_of(&self.gallery, &self.net, &self.gallery.photos[photo as usize], window)
    }

    fn ranked(&self, found: &Found) -> Answer {
        let one = |r: &gallery::Rank| {
            Ok(object([
                ("layer", self.gallery.layers[r.layer].name.as_str().into()),
                ("map", (r.map as f64).into()),
                ("value", r.value.into()),
                ("at", position(r.at.map(usize::from))),
                ("window", (f64::from(r.window)).into()),
                ("rank", r.rank.into()),
                ("share", r.share.into()),
            ]))
        };
        let all = gallery::ranks(&self.gallery, found);
        Ok(all.iter().map(one).collect::<Bound<Array>>()?.into())
    }
}

#[wasm_bindgen]
impl Gallery {
    /// `GalleryInfo`.
    pub fn info(&self) -> Answer {
        let h = &self.gallery.header;
        let layer = |l: &format::Layer| {
            let dead = l.maps.iter().enumerate().filter(|(_, m)| is_dead(m)).map(|(i, _)| i as f64);
            object([
                ("name", l.name.as_str().into()),
                ("maps", (l.maps.len() as f64).into()),
                ("dead", numbers(dead)),
            ])
        };
        let photo = |p: &format::Photo| {
            object([("name", p.name.as_str().into()), ("height", p.height.into()), ("width", p.width.into())])
        };
        Ok(object([
            ("model", h.model.as_str().into()),
            ("weights", h.weights.as_str().into()),
            ("sameWeights", (h.weights == self.net.fingerprint()).into()),
            ("top", (h.top as f64).into()),
            ("windows", h.scales.into()),
            ("searched", (h.searched as f64).into()),
            ("skipped", (h.skipped as f64).into()),
            ("unfinished", h.unfinished.as_deref().map_or(JsValue::NULL, JsValue::from)),
            ("photos", self.gallery.photos.iter().map(photo).collect::<Array>().into()),
            ("layers", self.gallery.layers.iter().map(layer).collect::<Array>().into()),
        ]))
    }

    /// `GalleryLayer`.
    pub fn layer(&self, name: &str) -> Answer {
        let layer = &self.gallery.layers[self.find(name).map_err(thrown)?];
        let entries: Vec<&format::Entry> = layer.maps.iter().flat_map(|m| &m.entries).collect();
        let mut windows = Vec::with_capacity(entries.len() * 4);
        for e in &entries {
            windows.extend(self.window(e.photo, e.window).map_err(thrown)?.map(|v| v as f32));
        }
        let photos: Vec<i32> = entries.iter().map(|e| e.photo as i32).collect();
        let at: Vec<i32> = entries.iter().flat_map(|e| e.at).map(i32::from).collect();
        let values: Vec<f32> = entries.iter().map(|e| e.value).collect();
        let n = layer.maps.first().map_or(0, |m| m.entries.len());
        Ok(object([
            ("layer", name.into()),
            ("shape", numbers([layer.maps.len() as f64, n as f64])),
            ("photos", Int32Array::from(photos.as_slice()).into()),
            ("windows", Float32Array::from(windows.as_slice()).into()),
            ("at", Int32Array::from(at.as_slice()).into()),
            ("values", floats(&values)),
        ]))
    }

    /// `GalleryHistogram`.
    pub fn histogram(&self, layer: &str, map: usize) -> Answer {
        let (_, map) = self.map(layer, map).map_err(thrown)?;
        let side = |i: usize| map.histogram.iter().map(|b| format::bin_range(b.0)[i]).collect::<Vec<_>>();
        let counts: Vec<u32> = map.histogram.iter().map(|b| b.1).collect();
        Ok(object([
            ("from", floats(&side(0))),
            ("to", floats(&side(1))),
            ("counts", Uint32Array::from(counts.as_slice()).into()),
        ]))
    }

    /// The file.
    pub fn bytes(&self) -> Uint8Array {
        Uint8Array::from(format::write(&self.gallery).as_slice())
    }

    /// All as one, of the layers named or of all; the binding takes the others.
    pub fn merge(&self, others: Vec<Gallery>, layers: Vec<String>) -> Bound<Gallery> {
        let all = std::iter::once(self.gallery.clone()).chain(others.into_iter().map(|g| g.gallery));
        Gallery::new(self.net.clone(), gallery::unite(all.collect(), &layers)).map_err(thrown)
    }

    /// The same again, for what takes it.
    pub fn copy(&self) -> Gallery {
        Gallery { net: self.net.clone(), gallery: self.gallery.clone(), nodes: self.nodes.clone() }
    }

    /// `GalleryRank[]` of a trace: of the one window that it is.
    pub fn ranks(&self, trace: &Trace) -> Answer {
        let trace = trace.shared();
        if !Arc::ptr_eq(trace.net(), &self.net) {
            return Err(thrown(Error::Parameter("the trace is another network's".into())));
        }
        let search = self.search().map_err(thrown)?;
        let mut found = search.begin([trace.shape(0).h, trace.shape(0).w]);
        search.trace(&trace, 0, &mut found).map_err(thrown)?;
        self.ranked(&found)
    }

    /// `GalleryRank[]` of the input that another gallery was built from, searched in this one's layers.
    #[wasm_bindgen(js_name = ranksOf)]
    pub fn ranks_of(&self, one: &Gallery) -> Answer {
        self.ranked(&gallery::found(&self.gallery, &one.gallery).map_err(thrown)?)
    }

    /// Starts the whole forward pass of what an entry's window shows of its photo.
    #[wasm_bindgen(js_name = startEntry)]
    pub fn start_entry(
        &self,
        layer: &str,
        map: usize,
        entry: usize,
        width: usize,
        height: usize,
        rgba: Clamped<Vec<u8>>,
    ) -> Bound<Pass> {
        let start = || {
            let (_, e) = self.entry(layer, map, entry)?;
            let picture = Picture::new(width, height, rgba.0)?;
            let input = &self.net.spec().input;
            let rect = gallery::window(&self.gallery, &self.net, e.photo, e.window, &picture)?;
            let seen = picture.cut(rect, input.shape.h, input.shape.w)?;
            let tensor = image::normalise(&seen, input)?;
            Ok(Pass::new(self.net.start(vec![tensor])?, seen))
        };
        start().map_err(thrown)
    }
}

impl Gallery {
    fn entry(&self, layer: &str, map: usize, entry: usize) -> Result<(usize, &format::Entry)> {
        let (l, m) = self.map(layer, map)?;
        let found = m.entries.get(entry).ok_or_else(|| {
            Error::Parameter(format!("{layer} map {map} has {} entries, no entry {entry}", m.entries.len()))
        })?;
        Ok((l, found))
    }
}
