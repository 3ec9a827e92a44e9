//! A gallery built photo by photo.

use super::{Bound, Gallery};
use crate::error::{Error, Result};
use crate::explain::gallery::{self, Found, Search, add, empty, settle};
use crate::format::gallery as format;
use crate::image::Picture;
use crate::job::Clock;
use crate::kernel::parallel;
use crate::net;
use crate::wasm::value::{object, thrown};
use js_sys::Array;
use std::collections::VecDeque;
use std::sync::Arc;
use wasm_bindgen::Clamped;
use wasm_bindgen::prelude::*;

/// A photo on its way through its windows.
struct Current {
    name: String,
    picture: Picture,
    windows: usize,
    next: usize,
    found: Found,
    /// A file that cannot be searched keeps its place in the queue all the same.
    failed: Option<Error>,
}

impl Current {
    fn new(search: &Search, name: String, picture: Picture) -> Current {
        let size = [picture.height(), picture.width()];
        let windows = search.windows(size[0], size[1]).len();
        Current { name, picture, windows, next: 0, found: search.begin(size), failed: None }
    }

    fn is_done(&self) -> bool {
        self.failed.is_some() || self.next >= self.windows
    }
}

/// Searches the next windows, as many as there are threads; whether there were any.
fn advance(search: &Search, queue: &mut VecDeque<Current>) -> bool {
    let threads = parallel::threads(usize::MAX);
    let waiting = queue.iter().enumerate().filter(|(_, c)| c.failed.is_none());
    let places: Vec<(usize, usize)> =
        waiting.flat_map(|(i, c)| (c.next..c.windows).map(move |w| (i, w))).take(threads).collect();
    let tasks: Vec<(&Picture, usize)> = places.iter().map(|&(i, w)| (&queue[i].picture, w)).collect();
    let found = search.side_by_side(&tasks);
    for (&(i, _), found) in places.iter().zip(found) {
        let current = &mut queue[i];
        current.next += 1;
        match found {
            Ok(found) => current.found.absorb(&found),
            Err(e) => current.failed = Some(e),
        }
    }
    !places.is_empty()
}

/// A gallery being built. Photos are done in the order in which they are added.
#[wasm_bindgen]
pub struct GalleryJob {
    search: Search,
    gallery: format::Gallery,
    queue: VecDeque<Current>,
    failures: Vec<(String, String)>,
}

impl GalleryJob {
    pub(super) fn new(
        net: Arc<net::Net>,
        layers: &[String],
        top: usize,
        scales: u8,
        into: Option<Gallery>,
    ) -> Result<GalleryJob> {
        let search = Search::new(net, layers, top, scales)?;
        let fresh = empty(&search);
        let gallery = match into {
            None => fresh,
            // Merging with nothing checks that both are alike.
            Some(old) => gallery::merge(fresh, old.gallery)?,
        };
        Ok(GalleryJob { search, gallery, queue: VecDeque::new(), failures: Vec::new() })
    }
}

#[wasm_bindgen]
impl GalleryJob {
    /// The next photo, RGBA.
    pub fn add(&mut self, name: String, width: usize, height: usize, rgba: Clamped<Vec<u8>>) -> Bound<()> {
        let picture = Picture::new(width, height, rgba.0).map_err(thrown)?;
        self.queue.push_back(Current::new(&self.search, name, picture));
        Ok(())
    }

    /// In place of a photo a file that could not be read, and why.
    pub fn skip(&mut self, name: String, why: String) -> Bound<()> {
        let nothing = Picture::new(1, 1, vec![0; 4]).map_err(thrown)?;
        let mut current = Current::new(&self.search, name, nothing);
        current.failed = Some(Error::Malformed(why));
        self.queue.push_back(current);
        Ok(())
    }

    /// Photos waiting or under way.
    pub fn pending(&self) -> usize {
        self.queue.len()
    }

    /// Works for about so many milliseconds, at least on as many windows as there are threads.
    pub fn step(&mut self, milliseconds: f64) {
        let clock = Clock::start();
        while advance(&self.search, &mut self.queue) {
            if clock.elapsed().as_secs_f64() * 1e3 >= milliseconds {
                break;
            }
        }
        while self.queue.front().is_some_and(Current::is_done) {
            let Some(current) = self.queue.pop_front() else { break };
            match current.failed {
                None => add(&mut self.gallery, &current.name, &current.found),
                Some(e) => {
                    self.gallery.header.skipped += 1;
                    self.failures.push((current.name, e.message().into()));
                }
            }
        }
    }

    /// `{ name, why }[]`: what was passed over since this was asked last.
    pub fn failures(&mut self) -> JsValue {
        let one = |(name, why): (String, String)| object([("name", name.into()), ("why", why.into())]);
        std::mem::take(&mut self.failures).into_iter().map(one).collect::<Array>().into()
    }

    /// What there is so far.
    pub fn part(&self) -> Bound<Gallery> {
        let mut gallery = self.gallery.clone();
        settle(&mut gallery);
        Gallery::new(self.search.net().clone(), Ok(gallery)).map_err(thrown)
    }
}
