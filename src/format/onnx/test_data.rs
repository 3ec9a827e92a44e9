//! What an ONNX file may have been tested with: tensors in files of their own beside it
//! (`test_data_set_0/input_0.pb`, `output_0.pb`, as the ONNX model zoo ships them).

use super::constant::{self, Budget};
use crate::error::{Error, Result};
use crate::format::report::{Report, line};
use crate::tensor::Shape;

/// The agreement asked for, as by the ONNX project's own tests: |got − wanted| ≤ ABSOLUTE + RELATIVE · |wanted|.
const RELATIVE: f32 = 1e-3;
const ABSOLUTE: f32 = 1e-5;

/// A tensor of such a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// As the file gives it, the batch first.
    pub dims: Vec<usize>,
    /// In C order.
    pub values: Vec<f32>,
}

/// Reads one. Errors: Malformed; Unsupported for what is no number; Limit for more bytes of numbers than given.
pub fn read(bytes: &[u8], limit: usize) -> Result<Data> {
    let (_, tensor) = constant::tensor(bytes)?;
    let values = tensor.to_floats(&Budget::new(limit))?;
    Ok(Data { dims: tensor.dims, values })
}

impl Data {
    /// Pictures in it and their shape: N,C · N,C,L · N,C,H,W. Error: Unsupported.
    pub fn pictures(&self) -> Result<(usize, Shape)> {
        let (n, shape) = match *self.dims.as_slice() {
            [n, c] => (n, Shape::new(c, 1, 1)),
            [n, c, l] => (n, Shape::new(c, 1, l)),
            [n, c, h, w] => (n, Shape::new(c, h, w)),
            ref other => {
                return Err(Error::Unsupported(format!(
                    "its input has the shape {other:?}; N,C,H,W is compared, N,C,L and N,C"
                )));
            }
        };
        if n == 0 || self.values.is_empty() {
            return Err(Error::Malformed("its input holds no picture".into()));
        }
        Ok((n, shape))
    }
}

/// Says in the report whether what came out of `set` is what its file wants; whether it is.
pub fn compare(set: &str, got: &[f32], wanted: &[f32], report: &mut Report) -> bool {
    let n = wanted.len();
    if got.len() != n {
        report.suspect.push(line!(
            "test.size",
            "test data `{set}`: the network gives {got} numbers, its file holds {n}",
            set = set,
            got = got.len(),
            n = n
        ));
        return false;
    }
    let pairs = || got.iter().zip(wanted);
    let same = |(a, b): &(&f32, &f32)| {
        a == b || (a.is_nan() && b.is_nan()) || (**a - **b).abs() <= ABSOLUTE + RELATIVE * b.abs()
    };
    let off = pairs().filter(|p| !same(p)).count();
    let largest = pairs().map(|(a, b)| (a - b).abs()).fold(0f32, f32::max);
    let largest = format!("{largest:.1e}");
    if off == 0 {
        report.notes.push(line!(
            "test.passed",
            "test data `{set}`: all {n} numbers of the output are those of the file (largest difference {largest})",
            set = set,
            n = n,
            largest = largest
        ));
    } else {
        report.suspect.push(line!(
            "test.failed",
            "test data `{set}`: {off} of {n} numbers of the output are not those of the file (largest difference {largest}); do not \
             trust this network here, and tell us of it",
            set = set,
            off = off,
            n = n,
            largest = largest
        ));
    }
    off == 0
}

/// Says in the report why test data could not be compared.
pub fn passed_over(set: &str, why: &str, report: &mut Report) {
    report.notes.push(line!("test.none", "test data `{set}` was not compared: {why}", set = set, why = why));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::mutate;

    /// 2×3, float32, raw.
    fn file() -> Vec<u8> {
        let raw = (0..6).flat_map(|i| (i as f32).to_le_bytes());
        [0x08, 2, 0x08, 3, 0x10, 1, 0x4a, 24].into_iter().chain(raw).collect()
    }

    #[test]
    fn a_tensor_is_read_and_cut_into_pictures() {
        let data = read(&file(), 1 << 20).unwrap();
        assert_eq!(
            (data.dims.as_slice(), data.values.as_slice()),
            (&[2, 3][..], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0][..])
        );
        assert_eq!(data.pictures().unwrap(), (2, Shape::new(3, 1, 1)));
        let cube = Data { dims: vec![1; 5], values: vec![0.0] };
        assert!(matches!(cube.pictures(), Err(Error::Unsupported(m)) if m.contains("N,C,H,W")));
        let none = Data { dims: vec![0, 3], values: vec![] };
        assert!(matches!(none.pictures(), Err(Error::Malformed(_))));
        assert!(matches!(read(&file(), 8), Err(Error::Limit(_))));
        mutate::each(&file(), |bytes| read(bytes, 1 << 20).map(drop));
    }

    #[test]
    fn agreement_and_its_lack_are_said() {
        let mut report = Report::default();
        assert!(compare("a", &[1.0005, 0.0, f32::NAN], &[1.0, 9e-6, f32::NAN], &mut report));
        assert!(report.notes[0].text.contains("all 3 numbers"), "{report:?}");
        assert!(!compare("b", &[1.002, 0.0], &[1.0, 0.0], &mut report));
        assert!(report.suspect[0].text.contains("1 of 2 numbers"), "{report:?}");
        assert!(!compare("c", &[1.0], &[1.0, 0.0], &mut report));
        assert!(report.suspect[1].text.contains("gives 1 numbers"), "{report:?}");
    }
}
