//! PyTorch checkpoints (`torch.save`): a pickle that describes tensors, and their numbers beside it, in a ZIP
//! archive (since 1.6) or one after the other (before). Nothing in the pickle is executed.

use super::arrays::Source;
use super::number::{Number, count};
use super::pickle::{self, Pickle, Tensor};
use super::report::Report;
use super::statedict;
use super::zip::Entry;
use crate::error::{Error, Result};
use crate::spec::Model;
use std::collections::{BTreeMap, HashMap};

/// How a checkpoint of before 1.6 begins: a pickled number.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// Whether the bytes start like a checkpoint of before version 1.6.
pub fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(LEGACY)
}

/// The name of the pickle in an archive, if it is a checkpoint.
pub fn pickle_of<'e>(entries: &'e BTreeMap<String, Entry>) -> Option<&'e str> {
    entries.keys().map(String::as_str).find(|n| *n == "data.pkl" || n.ends_with("/data.pkl"))
}

/// Reads an archive. Errors: those of the pickle and of the matching; Malformed where numbers are missing.
pub fn from_zip(entries: &BTreeMap<String, Entry>, report: &mut Report) -> Result<Model> {
    report.format = "PyTorch checkpoint".into();
    let name = pickle_of(entries).ok_or_else(|| Error::Malformed("the archive holds no data.pkl".into()))?;
    if entries.contains_key(&name.replace("data.pkl", "constants.pkl")) {
        return Err(Error::Unsupported(
            "this is a TorchScript program, which would have to be run; save model.state_dict(), or export to ONNX".into(),
        ));
    }
    import(&zipped(entries, &pickle::read(entries[name].stored(name)?)?)?, report)
}

/// The tensors of an archive.
fn zipped<'a>(entries: &BTreeMap<String, Entry<'a>>, pickle: &Pickle) -> Result<Vec<(String, Numbers<'a>)>> {
    let folder = pickle_of(entries).and_then(|n| n.strip_suffix("data.pkl")).unwrap_or_default();
    let stored = |name: String| entries.get(&name).map(|e| e.stored(&name)).transpose();
    let big_endian = stored(format!("{folder}byteorder"))?.is_some_and(|b| b.starts_with(b"big"));
    let storages = |key: &str| stored(format!("{folder}data/{key}"));
    place(pickle.tensors()?, &storages, big_endian)
}

/// Reads a checkpoint of before 1.6. Errors as [`from_zip`].
pub fn from_legacy(bytes: &[u8], report: &mut Report) -> Result<Model> {
    report.format = "PyTorch checkpoint (before 1.6)".into();
    import(&in_a_row(bytes)?, report)
}

/// Number, protocol, machine, the object, the keys, then each storage with its length.
fn in_a_row(bytes: &[u8]) -> Result<Vec<(String, Numbers<'_>)>> {
    let cut = || Error::Malformed("the checkpoint is truncated; get it again".into());
    let mut at = LEGACY.len();
    for _ in 0..2 {
        at += pickle::read_prefix(bytes.get(at..).ok_or_else(cut)?)?.1;
    }
    let (object, n) = pickle::read_prefix(bytes.get(at..).ok_or_else(cut)?)?;
    at += n;
    let (keys, n) = pickle::read_prefix(bytes.get(at..).ok_or_else(cut)?)?;
    at += n;
    let tensors = object.tensors()?;
    let numbers: HashMap<&str, Number> = tensors.iter().map(|(_, t)| (t.key, t.number)).collect();
    let mut storages: HashMap<String, &[u8]> = HashMap::new();
    for key in keys.texts() {
        let length = bytes.get(at..).and_then(|b| b.first_chunk::<8>()).ok_or_else(cut)?;
        // A storage that no tensor uses has no known type; what follows it cannot be found.
        let Some(number) = numbers.get(key.as_str()) else {
            return Err(Error::Unsupported(format!(
                "storage `{key}` belongs to no tensor; save model.state_dict() only"
            )));
        };
        let size =
            usize::try_from(u64::from_le_bytes(*length)).ok().and_then(|n| n.checked_mul(number.size()));
        at += 8;
        let end = size.and_then(|n| at.checked_add(n)).ok_or_else(cut)?;
        storages.insert(key, bytes.get(at..end).ok_or_else(cut)?);
        at = end;
    }
    place(tensors, &|key| Ok(storages.get(key).copied()), false)
}

fn place<'a>(
    tensors: Vec<(String, Tensor)>,
    storages: &dyn Fn(&str) -> Result<Option<&'a [u8]>>,
    big_endian: bool,
) -> Result<Vec<(String, Numbers<'a>)>> {
    let one = |(name, t): (String, Tensor)| {
        let bytes = storages(t.key)?.ok_or_else(|| {
            Error::Malformed(format!("the numbers of `{name}` (storage {}) are not in the file", t.key))
        })?;
        let span = span(&t, bytes).map_err(|e| e.at(&name))?;
        Ok((name, Numbers { shape: t.size, number: t.number, big_endian, span }))
    };
    tensors.into_iter().map(one).collect()
}

fn import(tensors: &[(String, Numbers)], report: &mut Report) -> Result<Model> {
    let sources: Vec<_> =
        tensors.iter().map(|(name, t)| (name.clone(), Source::new(&t.shape, || t.to_f32()))).collect();
    statedict::import(&sources, report)
}

/// A tensor whose numbers are still bytes of the file.
struct Numbers<'a> {
    shape: Vec<usize>,
    number: Number,
    big_endian: bool,
    span: Span<'a>,
}

impl Numbers<'_> {
    fn to_f32(&self) -> Vec<f32> {
        let size = self.number.size();
        let read = |bytes: &[u8]| self.number.to_f32(bytes, self.big_endian);
        match &self.span {
            Span::Run(bytes) => read(bytes),
            Span::Spread(bytes, picks) => {
                picks.iter().flat_map(|p| read(&bytes[p * size..][..size])).collect()
            }
        }
    }
}

/// Where a tensor's numbers stand in its storage.
enum Span<'a> {
    /// One after the other.
    Run(&'a [u8]),
    /// Elsewhere: a transposed or sliced view.
    Spread(&'a [u8], Vec<usize>),
}

fn span<'a>(t: &Tensor, storage: &'a [u8]) -> Result<Span<'a>> {
    let outside = || Error::Malformed("its numbers lie outside of their storage; the file is damaged".into());
    let n = count(&t.size).ok_or_else(outside)?;
    let held = storage.len() / t.number.size();
    let mut step = 1;
    let mut straight = true;
    for (d, s) in t.size.iter().zip(&t.stride).rev() {
        straight &= *d == 1 || *s == step;
        step *= d;
    }
    let last = t
        .size
        .iter()
        .zip(&t.stride)
        .try_fold(t.offset, |at, (d, s)| at.checked_add(d.saturating_sub(1).checked_mul(*s)?));
    if n > 0 && last.is_none_or(|l| l >= held) {
        return Err(outside());
    }
    if straight {
        let (from, bytes) = (t.offset * t.number.size(), n * t.number.size());
        return storage.get(from..from + bytes).map(Span::Run).ok_or_else(outside);
    }
    // A view may repeat numbers (stride 0): it must not be larger than what the file holds.
    if n > held {
        return Err(outside());
    }
    let picks = (0..n)
        .map(|i| {
            let mut rest = i;
            let mut at = t.offset;
            for (d, s) in t.size.iter().zip(&t.stride).rev() {
                at += rest % d * s;
                rest /= d;
            }
            at
        })
        .collect();
    Ok(Span::Spread(storage, picks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{mutate, zip};

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/data/torch/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    /// Each of the fixtures holds {"state_dict": {"a.weight": float32 2×3 = 0…5, "a.half": float16 [0.5, -1], "turned": the
    /// former transposed, "count": int64 7}, "epoch": 3} (`tests/tools/torch_files.py` writes them).
    fn check(tensors: &[(String, Numbers)]) {
        let found: Vec<_> =
            tensors.iter().map(|(n, t)| (n.as_str(), t.shape.as_slice(), t.to_f32())).collect();
        assert_eq!(
            found,
            [
                ("state_dict/a.weight", &[2, 3][..], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
                ("state_dict/a.half", &[2][..], vec![0.5, -1.0]),
                ("state_dict/turned", &[3, 2][..], vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0]),
                ("state_dict/count", &[][..], vec![7.0]),
            ]
        );
    }

    fn open(bytes: &[u8], check: impl Fn(&[(String, Numbers)])) -> Result<()> {
        if is_legacy(bytes) {
            check(&in_a_row(bytes)?);
            return Ok(());
        }
        let entries = zip::read(bytes)?;
        let name = pickle_of(&entries).ok_or_else(|| Error::Malformed("no pickle".into()))?;
        check(&zipped(&entries, &pickle::read(entries[name].stored(name)?)?)?);
        Ok(())
    }

    #[test]
    fn both_generations_as_python_writes_them() {
        for name in ["new.pt", "old.pt"] {
            open(&file(name), check).unwrap();
        }
    }

    #[test]
    fn no_mutation_panics() {
        for name in ["new.pt", "old.pt"] {
            mutate::each(&file(name), |bytes| {
                open(bytes, |tensors| tensors.iter().for_each(|(_, t)| drop(t.to_f32())))?;
                Ok(())
            });
        }
    }

    #[test]
    fn anything_that_would_be_run_is_refused_by_name() {
        let e = open(&file("code.pt"), |_| ()).unwrap_err();
        assert!(
            matches!(&e, Error::Unsupported(m) if m.contains("posix.system") || m.contains("os.system")),
            "{e}"
        );
        let e = from_zip(&zip::read(&file("new.pt")).unwrap(), &mut Report::default()).unwrap_err();
        assert!(matches!(&e, Error::Unsupported(m) if m.contains("ONNX") && m.contains("resnet50")), "{e}");
    }
}
