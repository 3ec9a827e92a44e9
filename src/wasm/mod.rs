//! The bindings, and nothing else: JavaScript values in, calls of this crate, JavaScript values out.
//!
//! `www/engine.js` imports them, in a worker; what pages and scripts see is `www/unpool.js`. Every
//! array handed out is a copy: a view would dangle as soon as the memory grows. The same crate makes three packages: the
//! engine; with the feature `import` the readers of other tools' files, for `www/importer.js`; with the feature `lab` sparse
//! coding and training, for the same worker script started a second time, and the diagnosis of filters, for `www/filters-worker.js`.

#[cfg(feature = "import")]
mod import;
#[cfg(feature = "import")]
pub use import::Importer;

#[cfg(not(feature = "import"))]
mod alarm;
#[cfg(not(feature = "import"))]
mod stepped;
#[cfg(not(feature = "import"))]
mod value;
#[cfg(not(feature = "import"))]
pub use alarm::start;
#[cfg(feature = "threads")]
pub use alarm::watch;
#[cfg(feature = "threads")]
pub use wasm_bindgen_rayon::init_thread_pool;

#[cfg(feature = "lab")]
mod lab;
#[cfg(feature = "lab")]
pub use lab::*;

#[cfg(not(any(feature = "import", feature = "lab")))]
mod correspondence;
#[cfg(not(any(feature = "import", feature = "lab")))]
mod gallery;
#[cfg(not(any(feature = "import", feature = "lab")))]
mod invariance;
#[cfg(not(any(feature = "import", feature = "lab")))]
mod inversion;
#[cfg(not(any(feature = "import", feature = "lab")))]
mod net;
#[cfg(not(any(feature = "import", feature = "lab")))]
mod occlusion;
#[cfg(not(any(feature = "import", feature = "lab")))]
mod trace;
#[cfg(not(any(feature = "import", feature = "lab")))]
mod engine {
    pub use super::correspondence::{CorrespondenceJob, Marks};
    pub use super::gallery::{Gallery, GalleryCells, GalleryJob};
    pub use super::invariance::InvarianceJob;
    pub use super::net::{ModelFile, Net, Pass};
    pub use super::occlusion::OcclusionJob;
    pub use super::trace::Trace;
}
#[cfg(not(any(feature = "import", feature = "lab")))]
pub use engine::*;
