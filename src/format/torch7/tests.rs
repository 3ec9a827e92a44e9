//! Files of an independent writer (`tests/tools/torch7_files.py`, read back by PyPI's `torchfile`), and hostile ones.

use super::*;
use crate::format::mutate;
use crate::net::Net;
use crate::tensor::Tensor;
use std::sync::Arc;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/torch7/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn read(bytes: &[u8]) -> Result<(Model, Report)> {
    let mut report = Report::default();
    import(bytes, None, &mut report).map(|m| (m, report))
}

#[test]
fn every_module_and_the_numbers_of_a_reference() {
    let (model, report) = read(&file("net.t7")).unwrap();
    assert_eq!(model.spec.input.shape, Shape::new(3, 28, 28));
    assert!(report.guesses[0].text.contains("3×28×28"), "{report:?}");
    let bytes = file("net.safetensors");
    let expected = crate::format::safetensors::File::parse(&bytes).unwrap();
    let values = |name: &str| expected.tensors[name].number.to_f32(expected.tensors[name].bytes, false);
    let net = Arc::new(Net::new(model).unwrap());
    let trace = net.forward(Tensor::new(Shape::new(3, 28, 28), values("x")).unwrap()).unwrap();
    for layer in ["concat1", "sum1", "fc1", "prob1"] {
        let (got, want) = (trace.activation(net.find(layer).unwrap()), values(layer));
        let scale = want.iter().fold(0f32, |m, v| m.max(v.abs()));
        let off = got.data().iter().zip(&want).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
        assert!(
            got.data().len() == want.len() && off < 1e-4 * scale,
            "{layer} is off by {off:.1e} of {scale:.1e}"
        );
    }
}

#[test]
fn what_is_not_known_is_named_with_its_place() {
    let e = read(&file("odd.t7")).unwrap_err();
    assert!(matches!(&e, Error::Unsupported(m) if m.contains("model.2 nn.SpatialFractional")), "{e}");
    for (bytes, kind) in
        [(&[9u8, 0, 0, 0][..], "Malformed"), (&[6, 0, 0, 0], "Unsupported"), (&[], "Malformed")]
    {
        assert_eq!(read(bytes).unwrap_err().kind(), kind);
    }
    // A table in a table in a table …
    let deep: Vec<u8> = (0..200i32).flat_map(|i| [3, i + 1, 1].map(i32::to_le_bytes).concat()).collect();
    assert!(matches!(read(&deep), Err(Error::Limit(_))));
}

/// `nn.Sequential` with itself as both of its children: two to the power of the depth, found by fuzzing.
#[test]
fn modules_that_contain_themselves_are_a_limit() {
    let int = |v: i32| v.to_le_bytes().to_vec();
    let text = |s: &str| [int(s.len() as i32), s.as_bytes().to_vec()].concat();
    let number = |v: f64| [int(1), v.to_le_bytes().to_vec()].concat();
    let itself = [int(4), int(1)].concat();
    let children = [int(3), int(3), int(2), number(1.0), itself.clone(), number(2.0), itself].concat();
    let fields = [int(3), int(2), int(1), int(2), text("modules"), children].concat();
    let file = [int(4), int(1), text("V 1"), text("nn.Sequential"), fields].concat();
    let e = read(&file).unwrap_err();
    assert!(matches!(&e, Error::Limit(m) if m.contains("contain themselves")), "{e}");
}

#[test]
fn no_mutation_panics() {
    mutate::some(&file("net.t7"), 1500, |bytes| read(bytes).map(drop));
    mutate::some(&file("odd.t7"), 10, |bytes| match read(bytes) {
        Err(e) if e.kind() == "Unsupported" => Ok(()),
        other => other.map(drop),
    });
}
