//! Which format some bytes are in, and what to do with those that are no network.

use super::{npy, pickle, safetensors, torch, torch7, wire, zip};
use crate::error::{Error, Result};

/// Formats that networks are read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Our own: safetensors with a spec.
    Unpool,
    /// A `.caffemodel`, which needs its `.prototxt`.
    Caffe,
    /// An ONNX model.
    Onnx,
    /// An archive: PyTorch's since 1.6, or NumPy's `.npz`.
    Zip,
    /// A PyTorch checkpoint of before 1.6.
    TorchLegacy,
    /// A module of Lua's Torch, binary.
    Torch7,
    /// A Python pickle of NumPy arrays.
    Pickle,
}

/// Looks at the content first, then at the file name's ending. Errors: Unsupported for formats
/// that are known but not read, Malformed for everything that is no network.
pub fn format(bytes: &[u8], name: &str) -> Result<Format> {
    let ending = name.rsplit_once('.').map_or("", |n| n.1).to_ascii_lowercase();
    let starts = |signature: &[u8]| bytes.starts_with(signature);
    if bytes.is_empty() {
        return Err(Error::Malformed("the file is empty; get it again".into()));
    }
    if safetensors::is_safetensors(bytes) {
        return Ok(Format::Unpool);
    }
    if torch7::is_torch7(bytes) {
        return Ok(Format::Torch7);
    }
    if torch::is_legacy(bytes) {
        return Ok(Format::TorchLegacy);
    }
    if zip::is_zip(bytes) {
        return Ok(Format::Zip);
    }
    if pickle::is_pickle(bytes) {
        return Ok(Format::Pickle);
    }
    if npy::is_npy(bytes) {
        return unsupported(
            "a single array (.npy) is no network; several of them in an .npz, or a dict of arrays in a pickle, are read",
        );
    }
    if starts(b"\x89HDF") {
        return unsupported(
            "HDF5 (.h5) is not read; save the network as a caffemodel, or as safetensors with a spec",
        );
    }
    let picture = [&b"\xff\xd8\xff"[..], b"\x89PNG", b"GIF8", b"RIFF", b"BM"].iter().any(|s| starts(s));
    if picture {
        return Err(Error::Malformed("this is a picture, not a network; open it as the photo".into()));
    }
    if starts(b"version https://git-lfs") {
        return Err(Error::Malformed(
            "this is a pointer of Git LFS, not the file it stands for; run `git lfs pull`".into(),
        ));
    }
    match ending.as_str() {
        "safetensors" => return Ok(Format::Unpool),
        "caffemodel" => return Ok(Format::Caffe),
        "onnx" => return Ok(Format::Onnx),
        "t7" => return Ok(Format::Torch7),
        "pkl" | "pickle" | "ckpt" => return Ok(Format::Pickle),
        "prototxt" => {
            return Err(Error::Parameter(
                "a prototxt has no weights; give the .caffemodel as the file and this with --prototxt".into(),
            ));
        }
        _ => {}
    }
    if bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'<') {
        return Err(Error::Malformed(
            "this is a web page, not a network; the download went wrong, get it again".into(),
        ));
    }
    match protobuf(bytes) {
        Some(format) => Ok(format),
        None => Err(Error::Malformed(
            "this is no network in a known format (ONNX, safetensors with a spec, caffemodel, pickled NumPy arrays)".into(),
        )),
    }
}

fn unsupported(what: &str) -> Result<Format> {
    Err(Error::Unsupported(what.into()))
}

/// ONNX or Caffe, by the fields of their outermost messages: the former begins with its version, or has a graph in
/// field 7, the latter holds layers in field 2 or 100.
fn protobuf(bytes: &[u8]) -> Option<Format> {
    let (mut layers, mut graph, mut version) = (false, false, false);
    for field in wire::Fields::new(bytes).take(10_000) {
        match field.ok()? {
            (100, wire::Wire::Bytes(_)) => layers = true,
            (7, wire::Wire::Bytes(_)) => graph = true,
            (1, wire::Wire::Varint(_)) => version = true,
            (2, wire::Wire::Bytes(b)) if b.len() > 64 => layers = true,
            _ => {}
        }
    }
    match (layers, graph, version) {
        (_, true, true) => Some(Format::Onnx),
        (true, ..) => Some(Format::Caffe),
        (_, true, _) => Some(Format::Onnx),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_counts_more_than_the_name() {
        let ours = safetensors::write(&Default::default(), &Default::default());
        assert_eq!(format(&ours, "x.caffemodel"), Ok(Format::Unpool));
        assert_eq!(format(b"\x80\x04N.", "x"), Ok(Format::Pickle));
        assert_eq!(format(b"\x0a\x01n\xa2\x06\x00", "x"), Ok(Format::Caffe));
        assert_eq!(format(b"\x08\x07\x3a\x00", "x"), Ok(Format::Onnx));
        assert_eq!(format(b"x", "a.onnx"), Ok(Format::Onnx));
        assert_eq!(format(b"broken", "x.caffemodel"), Ok(Format::Caffe));
        assert_eq!(format(b"(dp0\n.", "x.PKL"), Ok(Format::Pickle));
        assert_eq!(format(b"short", "x.safetensors"), Ok(Format::Unpool));
    }

    #[test]
    fn what_is_no_network_is_told_what_it_is() {
        for (bytes, name, kind, what) in [
            (&b""[..], "", "Malformed", "empty"),
            (b"\x93NUMPY", "", "Unsupported", ".npy"),
            (b"\x89HDF", "", "Unsupported", "HDF5"),
            (b"\xff\xd8\xff\xe0", "", "Malformed", "picture"),
            (b"\x89PNG", "", "Malformed", "picture"),
            (b"version https://git-lfs", "", "Malformed", "LFS"),
            (b"name: 'n'", "a.prototxt", "Parameter", "--prototxt"),
            (b" <html>", "", "Malformed", "web page"),
            (b"hello", "", "Malformed", "known format"),
        ] {
            let e = format(bytes, name).unwrap_err();
            assert!(e.kind() == kind && e.message().contains(what), "{bytes:?}: {e:?}");
        }
    }
}
