//! A folder, a seeded network, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use unpool::spec::{Input, Kind, LayerSpec, Model, Order, Spec, Weight, Weights};
use unpool::tensor::Shape;
use unpool::window::Window;

/// A folder of its own for each test, with `tiny` (a classifier) and `blind` (without one) in it.
pub struct Bench(PathBuf);

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Bench {
    pub fn new() -> Bench {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cli-{}-{n}", std::process::id()));
        std::fs::create_dir_all(folder.join("models")).unwrap();
        let bench = Bench(folder);
        bench.write("models/tiny.safetensors", &unpool::format::model::write(&tiny(true)));
        bench.write("models/blind.safetensors", &unpool::format::model::write(&tiny(false)));
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// A photo made of `tests/cli/data/NAME`.
    pub fn data(&self, name: &str) -> Vec<u8> {
        std::fs::read(Path::new("tests/cli/data").join(name)).unwrap()
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unpool"));
        command.current_dir(&self.0).env_remove("UNPOOL_MODELS").args(line.split_whitespace());
        command
    }

    pub fn output(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs it, expects success and silence on stderr, returns what it printed.
    pub fn text(&self, line: &str) -> String {
        let out = self.output(line);
        let err = String::from_utf8(out.stderr).unwrap();
        assert_eq!((out.status.code(), err.as_str()), (Some(0), ""), "{line}");
        String::from_utf8(out.stdout).unwrap()
    }

    /// The same with `--json`: stdout is exactly one document.
    pub fn json(&self, line: &str) -> serde_json::Value {
        serde_json::from_str(&self.text(&format!("{line} --json"))).unwrap()
    }

    /// Expects exit 1, nothing on stdout and one line on stderr that holds all of `says`.
    pub fn fails(&self, line: &str, says: &[&str]) {
        let out = self.output(line);
        let err = String::from_utf8(out.stderr).unwrap();
        assert_eq!(out.status.code(), Some(1), "{line}: {err}");
        assert!(out.stdout.is_empty(), "{line}: stdout {:?}", String::from_utf8_lossy(&out.stdout));
        assert!(err.starts_with("error: ") && err.trim_end().lines().count() == 1, "{line}: {err:?}");
        for s in says {
            assert!(err.contains(s), "{line}: {err:?} does not say {s:?}");
        }
    }

    /// Expects exit 2 and a message.
    pub fn usage(&self, line: &str, says: &str) {
        let out = self.output(line);
        let err = String::from_utf8(out.stderr).unwrap();
        assert_eq!((out.status.code(), out.stdout.len()), (Some(2), 0), "{line}: {err}");
        assert!(err.starts_with("error: ") && err.contains(says), "{line}: {err:?} does not say {says:?}");
    }

    pub fn array(&self, name: &str) -> unpool::format::npy::Array {
        unpool::format::npy::read(&self.read(name)).unwrap()
    }

    pub fn save(&self, name: &str, shape: &[usize], values: &[f32]) {
        self.write(name, &unpool::format::npy::write(shape, values).unwrap());
    }
}

/// Reproducible numbers in −1…1.
pub fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..n).map(|_| next()).collect()
}

/// conv1 → relu1 → pool1 → conv2 (→ pool2, prob), 3×16×16 in, 5 classes.
pub fn tiny(classifier: bool) -> Model {
    let layer = |name: &str, kind| LayerSpec { name: name.into(), inputs: vec![], kind };
    let conv = |filters, k, s, p| Kind::Conv {
        filters,
        window: Window::square(k, s, p),
        groups: 1,
        connections: None,
    };
    let mut layers = vec![
        layer("conv1", conv(4, 3, 1, 1)),
        layer("relu1", Kind::Relu),
        layer("pool1", Kind::MaxPool { window: Window::square(3, 2, 0), ceil: true, maps: 1 }),
        layer("conv2", conv(5, 3, 1, 1)),
    ];
    let mut classes = vec![];
    if classifier {
        layers.extend([layer("pool2", Kind::GlobalAvg), layer("prob", Kind::Softmax)]);
        classes = ["ant", "bee", "cat", "dog", "eel"].map(String::from).to_vec();
    }
    let input = Input {
        shape: Shape::new(3, 16, 16),
        mean: vec![104.0, 117.0, 123.0],
        std: vec![50.0; 3],
        order: Order::Bgr,
    };
    let weight =
        |shape: &[usize], seed| Weight::new(shape.to_vec(), noise(shape.iter().product(), seed)).unwrap();
    let weights = Weights::from([
        ("conv1.weight".to_string(), weight(&[4, 3, 3, 3], 1)),
        ("conv1.bias".to_string(), weight(&[4], 2)),
        ("conv2.weight".to_string(), weight(&[5, 4, 3, 3], 3)),
    ]);
    let spec = Spec {
        name: if classifier { "tiny" } else { "blind" }.into(),
        title: "Tiny".into(),
        licence: "CC0-1.0".into(),
        origin: "seeded noise".into(),
        notes: String::new(),
        input,
        classes,
        layers,
    };
    Model { spec, weights }
}
