//! Any format that is read here → a model of ours, with what the file itself does not tell.

use super::arrays::{self, Source};
use super::npy::Layout;
use super::report::Report;
use super::sniff::{self, Format};
use super::zip::Entry;
use super::{caffe, cuda_convnet, model, npy, onnx, pickle, safetensors, statedict, torch, torch7, zip};
use crate::error::{Error, Result};
use crate::format::report::line;
use crate::spec::{Model, Order, Values};
use crate::tensor::Shape;

/// What a person adds to the file. Everything left out is taken from the file or stays as it is there.
#[derive(Debug, Clone, Default)]
pub struct Options<'a> {
    /// The file's name; its ending helps where the content is not telling.
    pub file_name: &'a str,
    /// Text of the prototxt that belongs to a caffemodel.
    pub prototxt: Option<&'a str>,
    /// Class names: one a line, or a JSON list.
    pub labels: Option<&'a str>,
    /// 0–255 units, the network's own channel order; one value serves all channels.
    pub mean: Option<Vec<f32>>,
    /// The bytes of a `mean.binaryproto`: its mean over the plane is what `mean` would say.
    pub mean_image: Option<&'a [u8]>,
    /// As `mean`.
    pub std: Option<Vec<f32>>,
    /// Channel order.
    pub order: Option<Order>,
    /// Short name.
    pub name: Option<&'a str>,
    /// Name for people.
    pub title: Option<&'a str>,
    /// SPDX identifier or sentence.
    pub licence: Option<&'a str>,
    /// Where the weights come from.
    pub origin: Option<&'a str>,
    /// What else a user must know.
    pub notes: Option<&'a str>,
    /// Channels, rows, columns where the file leaves them open.
    pub input: Option<Shape>,
    /// Bytes of numbers that a file may blow up to; [`LIMIT`] where nothing is said.
    pub limit: Option<usize>,
}

/// What a network's numbers may take: 2 GB, in a page, where they share 4 GB with everything else, a quarter of it.
pub const LIMIT: usize = if cfg!(target_arch = "wasm32") { 1 << 29 } else { 2_000_000_000 };

/// Reads a network and says what was done. Errors: those of the formats; Parameter for options that do not fit. Whether shapes and weights fit each
/// other is for the network to say.
pub fn convert(bytes: &[u8], options: &Options) -> Result<(Model, Report)> {
    let mut report = Report::default();
    let format = sniff::format(bytes, options.file_name)?;
    if options.prototxt.is_some() && format != Format::Caffe {
        return Err(Error::Parameter(
            "a prototxt was given, but the file is no caffemodel; leave it out".into(),
        ));
    }
    let mut model = match format {
        Format::Unpool => from_safetensors(bytes, &mut report)?,
        Format::Zip => from_zip(bytes, options.limit.unwrap_or(LIMIT), &mut report)?,
        Format::Torch7 => torch7::import(bytes, options.input, &mut report)?,
        Format::TorchLegacy => torch::from_legacy(bytes, &mut report)?,
        Format::Caffe => {
            let prototxt = options.prototxt.ok_or_else(|| {
                Error::Parameter(
                    "a caffemodel holds weights only; give the network's deploy.prototxt with --prototxt"
                        .into(),
                )
            })?;
            caffe::import(bytes, prototxt, &mut report)?
        }
        Format::Onnx => {
            let settings = onnx::Settings { limit: options.limit.unwrap_or(LIMIT), input: options.input };
            onnx::import(bytes, settings, &mut report)?
        }
        Format::Pickle => from_pickle(bytes, &mut report)?,
    };
    report.suspect.extend(model.weights.iter().filter_map(|(name, w)| match w.broken() {
        0 => None,
        n => Some(line!("not.finite", "weight `{name}`: {n} of its {of} values are NaN or infinite, and what depends on them means nothing: training diverged, or the file is damaged", name = name, n = n, of = w.len())),
    }));
    apply(&mut model, options, &mut report)?;
    report.count(&model);
    Ok((model, report))
}

/// Our own, or a state dict in the same container.
fn from_safetensors(bytes: &[u8], report: &mut Report) -> Result<Model> {
    let file = safetensors::File::parse(bytes)?;
    if file.metadata.contains_key("spec") {
        report.format = "Unpool (safetensors with a spec)".into();
        return model::read(bytes);
    }
    report.format = "safetensors (a state dict)".into();
    let mut tensors: Vec<_> = file.tensors.iter().collect();
    // As they were written, not as they are called.
    tensors.sort_by_key(|(_, e)| e.bytes.as_ptr() as usize);
    let sources: Vec<_> = tensors
        .iter()
        .map(|(name, e)| (name.to_string(), Source::new(&e.shape, || e.number.to_f32(e.bytes, false))))
        .collect();
    statedict::import(&sources, report)
}

/// A PyTorch checkpoint, or NumPy's arrays.
fn from_zip(bytes: &[u8], limit: usize, report: &mut Report) -> Result<Model> {
    let entries = zip::read(bytes)?;
    if torch::pickle_of(&entries).is_some() {
        return torch::from_zip(&entries, report);
    }
    report.format = "NumPy arrays (.npz)".into();
    let arrays = || entries.iter().filter_map(|(n, e)| Some((n.strip_suffix(".npy")?, e)));
    let mut room = limit;
    let mut found = Vec::new();
    for (name, entry) in arrays() {
        let size = entry.claim(name, &mut room)?;
        let layout = Layout::read(&entry.head(name, npy::HEAD)?, size).map_err(|e| e.at(name))?;
        found.push((name, entry, layout));
    }
    // Unpacked one by one, and straight into float32: no array is held twice.
    let source = |(name, entry, layout): &'_ (&str, &Entry, Layout)| {
        layout.gather(|sink| {
            entry.unpack(name, &mut |piece| {
                sink(piece);
                true
            })
        })
    };
    let sources: Vec<_> = found
        .iter()
        .map(|one| (one.0.to_string(), Source::fallible(one.2.shape(), move || source(one))))
        .collect();
    named(&sources, report)
}

/// Arrays without a graph: as a state dict, else by their shapes alone.
fn named(sources: &[(String, Source)], report: &mut Report) -> Result<Model> {
    let mut attempt = report.clone();
    match statedict::import(sources, &mut attempt) {
        Ok(model) => {
            *report = attempt;
            Ok(model)
        }
        // What is damaged is not looked at twice.
        Err(Error::Unsupported(_)) => arrays::import(sources, report),
        Err(e) => Err(e),
    }
}

fn from_pickle(bytes: &[u8], report: &mut Report) -> Result<Model> {
    report.format = "pickled NumPy arrays".into();
    let pickle = pickle::read(bytes)?;
    if let Some(layers) = cuda_convnet::layers(&pickle) {
        return cuda_convnet::import(&layers, report);
    }
    let found = pickle.arrays()?;
    let sources: Vec<_> =
        found.iter().map(|(name, a)| (name.clone(), Source::new(a.shape(), || a.to_f32()))).collect();
    named(&sources, report)
}

fn apply(model: &mut Model, options: &Options, report: &mut Report) -> Result<()> {
    let spec = &mut model.spec;
    let channels = spec.input.shape.c;
    let per_channel = |what: &str, list: &Option<Vec<f32>>| -> Result<Option<Vec<f32>>> {
        match list.as_deref() {
            None => Ok(None),
            Some(&[one]) => Ok(Some(vec![one; channels.min(1 << 16)])),
            Some(list) if list.len() == channels => Ok(Some(list.to_vec())),
            Some(list) => Err(Error::Parameter(format!(
                "--{what} has {} values; give one, or {channels} for the input's channels",
                list.len()
            ))),
        }
    };
    if let Some(mean) = per_channel("mean", &options.mean)? {
        spec.input.mean = mean;
    }
    if let Some(bytes) = options.mean_image {
        let mean = caffe::mean(bytes).map_err(|e| e.at("mean picture"))?;
        spec.input.mean = per_channel("mean-image", &Some(mean))?.unwrap_or_default();
        report.notes.push(line!(
            "mean.plane",
            "of the mean picture one value per channel is used, its mean over the plane"
        ));
    }
    if let Some(std) = per_channel("std", &options.std)? {
        spec.input.std = std;
    }
    if let Some(order) = options.order {
        spec.input.order = order;
    }
    if let Some(text) = options.labels {
        spec.classes = labels(text)?;
    }
    let given = [
        (&mut spec.name, options.name),
        (&mut spec.title, options.title),
        (&mut spec.licence, options.licence),
        (&mut spec.origin, options.origin),
        (&mut spec.notes, options.notes),
    ];
    for (field, value) in given {
        if let Some(value) = value {
            *field = value.into();
        }
    }
    if spec.name.is_empty() {
        let file = options.file_name.rsplit(['/', '\\']).next().unwrap_or_default();
        spec.name = file.rsplit_once('.').map_or(file, |n| n.0).into();
    }
    if spec.input.mean.is_empty() {
        report.missing.push(line!("mean", "mean and deviation of the pixels: they go in as they are, 0–255"));
    }
    if spec.classes.is_empty() {
        report.missing.push(line!("classes", "class names"));
    }
    Ok(())
}

/// Class names, one a line or as a JSON list. WordNet's numbers (`n01440764 tench, Tinca tinca`) are left out.
/// Errors: Malformed for an empty list, an empty line between names, or JSON of another form.
pub fn labels(text: &str) -> Result<Vec<String>> {
    let wrong = |what: String| Err(Error::Malformed(format!("class names: {what}; give one name a line")));
    let text = text.trim_start_matches('\u{feff}').trim();
    let names: Vec<String> = if text.starts_with('[') {
        match serde_json::from_str(text) {
            Ok(names) => names,
            Err(e) => return wrong(format!("the JSON list cannot be read ({e})")),
        }
    } else {
        text.lines().map(|line| without_synset(line.trim()).to_string()).collect()
    };
    if names.is_empty() || text.is_empty() {
        return wrong("the file is empty".into());
    }
    match names.iter().position(String::is_empty) {
        Some(i) => wrong(format!("name {} is empty", i + 1)),
        None => Ok(names),
    }
}

fn without_synset(line: &str) -> &str {
    match line.split_once([' ', '\t']) {
        Some((id, name)) if is_synset(id) => name.trim_start(),
        _ => line,
    }
}

fn is_synset(id: &str) -> bool {
    id.len() == 9 && id.starts_with('n') && id[1..].bytes().all(|b| b.is_ascii_digit())
}

/// Stores weights as float16. A tensor with a value that float16 cannot hold (beyond ±65504) stays
/// as it is; the names of those are returned.
pub fn to_half(model: &mut Model) -> Vec<String> {
    let mut kept = Vec::new();
    for (name, weight) in &mut model.weights {
        let half = weight.to_f16();
        match &half.values {
            Values::F16(v) if v.iter().any(|x| x.is_infinite()) => kept.push(name.clone()),
            _ => *weight = half,
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Weight, builtin};

    fn error(bytes: &[u8], options: &Options) -> Error {
        convert(bytes, options).unwrap_err()
    }

    /// A model without weights is enough here: whether they fit is for the network to say.
    fn ours() -> Vec<u8> {
        model::write(&Model { spec: builtin::lenet5(), weights: Default::default() })
    }

    #[test]
    fn options_win_over_the_file() {
        let options = Options {
            labels: Some("n01440764 tench, Tinca tinca\nn01443537 goldfish\n"),
            mean: Some(vec![1.0]),
            order: Some(Order::Bgr),
            title: Some("T"),
            licence: Some("CC0-1.0"),
            ..Options::default()
        };
        let (model, report) = convert(&ours(), &options).unwrap();
        let spec = model.spec;
        assert_eq!(spec.classes, ["tench, Tinca tinca", "goldfish"]);
        assert_eq!((spec.input.mean, spec.input.std), (vec![1.0], vec![255.0]));
        assert_eq!((spec.input.order, spec.name.as_str(), spec.title.as_str()), (Order::Bgr, "lenet5", "T"));
        assert_eq!((report.layers, report.parameters), (12, 0));
    }

    #[test]
    fn each_fault_has_its_error() {
        let options = Options { mean: Some(vec![1.0, 2.0]), ..Options::default() };
        assert!(matches!(error(&ours(), &options), Error::Parameter(m) if m.contains("--mean has 2")));
        let options = Options { prototxt: Some(""), ..Options::default() };
        assert!(matches!(error(&ours(), &options), Error::Parameter(m) if m.contains("prototxt")));
        let options = Options { file_name: "a.caffemodel", ..Options::default() };
        assert!(matches!(error(b"\x0a\x00", &options), Error::Parameter(m) if m.contains("--prototxt")));
        let mut model = Model { spec: builtin::lenet5(), weights: Default::default() };
        model.weights.insert("w".into(), Weight::new(vec![1], vec![f32::NAN]).unwrap());
        let (_, report) = convert(&model::write(&model), &Options::default()).unwrap();
        assert!(report.suspect[0].text.starts_with("weight `w`: 1 of its 1 values"), "{report:?}");
        assert!(
            matches!(error(b"\x80\x04N.", &Options::default()), Error::Unsupported(m) if m.contains("0 arrays"))
        );
    }

    #[test]
    fn labels_in_every_form() {
        assert_eq!(labels("a\r\nb, c\n\n").unwrap(), ["a", "b, c"]);
        assert_eq!(labels("[\"a\", \"b\"]").unwrap(), ["a", "b"]);
        assert_eq!(labels("n0144 x\nn12345678\n").unwrap(), ["n0144 x", "n12345678"]);
        for (text, what) in [("", "empty"), ("[1]", "JSON"), ("a\n\nb", "name 2"), ("[]", "empty")] {
            assert!(matches!(labels(text), Err(Error::Malformed(m)) if m.contains(what)), "{text}");
        }
    }

    #[test]
    fn halving_keeps_what_float16_cannot_hold() {
        let mut model = Model { spec: builtin::lenet5(), weights: Default::default() };
        for (name, value) in [("big", 7e4), ("small", 0.1)] {
            model.weights.insert(name.into(), Weight::new(vec![1], vec![value]).unwrap());
        }
        assert_eq!(to_half(&mut model), ["big"]);
        assert!(matches!(model.weights["small"].values, Values::F16(_)));
        assert!(matches!(model.weights["big"].values, Values::F32(_)));
    }
}
