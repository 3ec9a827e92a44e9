//! Refusals, each with the node's name; hostile files.

use super::*;
use crate::format::caffe::field;
use crate::format::mutate;

/// A field with a number.
fn int(number: u32, value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    for mut v in [u64::from(number << 3), value as u64] {
        while v >= 0x80 {
            out.push(v as u8 | 0x80);
            v >>= 7;
        }
        out.push(v as u8);
    }
    out
}

fn text(number: u32, value: &str) -> Vec<u8> {
    field(number, value.as_bytes())
}

fn ints(name: &str, values: &[i64]) -> Vec<u8> {
    let list: Vec<u8> = values.iter().flat_map(|v| int(8, *v)).collect();
    field(5, &[text(1, name), list].concat())
}

fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|i| text(1, i)).collect();
    let head = [inputs, text(2, output), text(3, &format!("n_{output}")), text(4, operator)].concat();
    field(1, &[head, attributes.concat()].concat())
}

fn tensor(name: &str, code: i64, dims: &[i64], raw: &[u8]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|d| int(1, *d)).collect();
    [dims, int(2, code), text(8, name), field(9, raw)].concat()
}

fn info(name: &str, code: i64, dims: &[i64]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|d| field(1, &int(1, *d))).collect();
    [text(1, name), field(2, &field(1, &[int(1, code), field(2, &dims)].concat()))].concat()
}

/// A file of these nodes with input x and output y.
fn file(parts: &[Vec<u8>], x: &[i64]) -> Vec<u8> {
    let graph = [parts.concat(), field(11, &info("x", 1, x)), field(12, &info("y", 1, &[]))].concat();
    [int(1, 8), field(8, &int(2, 13)), field(7, &graph)].concat()
}

const SETTINGS: Settings = Settings { limit: 1 << 20, input: None };

fn read(bytes: &[u8]) -> Result<Model> {
    import(bytes, SETTINGS, &mut Report::default())
}

fn says(bytes: &[u8], kind: &str, what: &str) {
    let e = read(bytes).unwrap_err();
    assert!(e.kind() == kind && e.message().contains(what), "{what}: {e:?}");
}

fn floats(n: usize) -> Vec<u8> {
    (0..n).flat_map(|i| (i as f32 * 0.1).to_le_bytes()).collect()
}

/// conv → relu, with its weights.
fn small() -> Vec<u8> {
    let parts = [
        node("Conv", &["x", "w"], "c", &[ints("pads", &[1, 1, 1, 1])]),
        node("Relu", &["c"], "y", &[]),
        field(5, &tensor("w", 1, &[2, 1, 3, 3], &floats(18))),
    ];
    file(&parts, &[1, 1, 4, 4])
}

#[test]
fn a_small_network() {
    let model = read(&small()).unwrap();
    let names: Vec<&str> = model.spec.layers.iter().map(|l| l.name.as_str()).collect();
    assert_eq!(names, ["n_c", "n_y"]);
    assert_eq!(model.weights["n_c.weight"].shape, [2, 1, 3, 3]);
    assert_eq!(model.spec.input.shape, Shape::new(1, 4, 4));
}

#[test]
fn refusals_name_the_node_and_what_would_help() {
    let one = |n: Vec<u8>| file(&[n], &[1, 2, 4, 4]);
    says(&one(node("GRU", &["x"], "y", &[])), "Unsupported", "node `n_y` (GRU)");
    says(&one(node("Relu", &["x"], "y", &[ints("odd", &[1])])), "Unsupported", "attribute `odd`");
    says(&one(node("Transpose", &["x"], "y", &[ints("perm", &[1, 0, 2, 3])])), "Unsupported", "`perm`");
    says(&one(node("Add", &["x", "z"], "y", &[])), "Malformed", "`z`");
    says(&one(node("Relu", &["q"], "y", &[])), "Unsupported", "0 inputs");
    let two = |a: Vec<u8>, b: Vec<u8>| file(&[a, b], &[1, 2, 4, 4]);
    let cycle = two(node("Add", &["x", "y"], "z", &[]), node("Relu", &["z"], "y", &[]));
    says(&cycle, "Malformed", "cyclic");
    let twice = two(node("Relu", &["x"], "y", &[]), node("Tanh", &["x"], "y", &[]));
    says(&twice, "Malformed", "two nodes make `y`");
    let domain =
        field(1, &[text(1, "x"), text(2, "y"), text(4, "FusedConv"), text(7, "com.microsoft")].concat());
    says(&one(domain), "Unsupported", "com.microsoft");
    says(&[int(1, 8), field(8, &int(2, 5)), field(7, b"")].concat(), "Unsupported", "opset 5");
    says(&[int(1, 8), field(8, &int(2, 13))].concat(), "Malformed", "no graph");
    let uint8 = [field(1, &[]), field(11, &info("x", 2, &[1, 3])), field(12, &info("x", 2, &[]))].concat();
    says(&[int(1, 8), field(8, &int(2, 13)), field(7, &uint8)].concat(), "Unsupported", "U8");
}

#[test]
fn tensors_are_held_to_their_bytes() {
    let with = |t: Vec<u8>| file(&[node("Mul", &["x", "w"], "y", &[]), field(5, &t)], &[1, 2, 4, 4]);
    says(&with(tensor("w", 1, &[3], &floats(2))), "Malformed", "asks for 3 numbers");
    says(&with(tensor("w", 1, &[-3], &floats(2))), "Malformed", "negative");
    says(&with(tensor("w", 1, &[1 << 40, 1 << 40], &floats(2))), "Limit", "larger than any memory");
    says(&with(tensor("w", 8, &[1], &floats(1))), "Unsupported", "text");
    says(&with([tensor("w", 1, &[2], &[]), int(14, 1)].concat()), "Unsupported", "another file");
    says(&with(tensor("w", 1, &[9, 2, 4, 4], &floats(288))), "Unsupported", "would widen");
}

#[test]
fn what_a_few_bytes_blow_up_is_counted() {
    let shape: Vec<u8> = [1i64 << 20, 2, 1, 1].iter().flat_map(|v| v.to_le_bytes()).collect();
    let parts = [
        field(5, &tensor("s", 7, &[4], &shape)),
        node("ConstantOfShape", &["s"], "w", &[]),
        node("Conv", &["x", "w"], "y", &[]),
    ];
    says(&file(&parts, &[1, 2, 4, 4]), "Limit", "1 MB");
    let huge: Vec<u8> = [1i64 << 40, 1 << 40].iter().flat_map(|v| v.to_le_bytes()).collect();
    let parts = [
        field(5, &tensor("s", 7, &[2], &huge)),
        node("ConstantOfShape", &["s"], "w", &[]),
        node("Mul", &["x", "w"], "y", &[]),
    ];
    says(&file(&parts, &[1, 2, 4, 4]), "Limit", "any memory");
    // Doubled forty times: each step is small in the file.
    let mut parts = vec![field(5, &tensor("s", 1, &[1, 1], &floats(1)))];
    let shape: Vec<u8> = [1i64 << 30].iter().flat_map(|v| v.to_le_bytes()).collect();
    parts.push(field(5, &tensor("t", 7, &[1], &shape)));
    parts.push(node("Expand", &["s", "t"], "w0", &[]));
    for i in 0..40 {
        parts.push(node("Add", &[&format!("w{i}"), "s"], &format!("w{}", i + 1), &[]));
    }
    parts.push(node("Mul", &["x", "w40"], "y", &[]));
    says(&file(&parts, &[1, 2, 4, 4]), "Limit", "MB");
}

/// Local response normalisation as PyTorch writes it, over `size` maps with these numbers of zero maps around them.
fn written_out_lrn(size: i64, pads: [i64; 10]) -> Vec<u8> {
    let i64s = |v: &[i64]| v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let constant = |name: &str, v: f32| field(5, &tensor(name, 1, &[], &v.to_le_bytes()));
    let parts = [
        field(5, &tensor("to5", 7, &[5], &i64s(&[1, 1, 4, 2, -1]))),
        field(5, &tensor("to4", 7, &[4], &i64s(&[1, 4, 2, 2]))),
        field(5, &tensor("pads", 7, &[10], &i64s(&pads))),
        constant("alpha", 0.5),
        constant("k", 2.0),
        constant("beta", 0.75),
        node("Mul", &["x", "x"], "squares", &[]),
        node("Reshape", &["squares", "to5"], "five", &[]),
        node("Pad", &["five", "pads"], "padded", &[]),
        node("AveragePool", &["padded"], "mean", &[ints("kernel_shape", &[size, 1, 1])]),
        node("Reshape", &["mean", "to4"], "four", &[]),
        node("Mul", &["four", "alpha"], "scaled", &[]),
        node("Add", &["k", "scaled"], "sum", &[]),
        node("Pow", &["sum", "beta"], "power", &[]),
        node("Div", &["x", "power"], "y", &[]),
    ];
    file(&parts, &[1, 4, 2, 2])
}

#[test]
fn a_normalisation_that_is_written_out_becomes_one_layer() {
    let pads = |before, after| [0, 0, before, 0, 0, 0, 0, after, 0, 0];
    let model = read(&written_out_lrn(3, pads(1, 1))).unwrap();
    assert_eq!(model.spec.layers[0].kind, Kind::Lrn { size: 3, alpha: 0.5, beta: 0.75, k: 2.0 });
    assert_eq!(model.spec.layers.len(), 1);
    for (size, pads, what) in [
        (4, pads(2, 1), "odd number"),
        (3, pads(2, 0), "either side"),
        (3, [0, 0, 0, 1, 0, 0, 0, 0, 1, 0], "either side"),
    ] {
        says(&written_out_lrn(size, pads), "Unsupported", what);
    }
    mutate::each(&written_out_lrn(3, pads(1, 1)), |bytes| read(bytes).map(drop));
}

/// A convolution and an LRN as PyTorch 2.15 writes them (dynamo=False), with the branches that its `squeeze` becomes.
#[test]
fn the_branches_of_a_written_out_normalisation_are_read() {
    let bytes = include_bytes!("../../../tests/data/onnx/torch_lrn.onnx");
    let model = read(bytes).unwrap();
    let kinds: Vec<_> = model.spec.layers.iter().map(|l| l.kind.clone()).collect();
    assert_eq!(kinds[1..], [Kind::Lrn { size: 5, alpha: 5e-4, beta: 0.75, k: 2.0 }]);
    // Another operator in a branch is another network.
    // The operator's type is field 4 of its node; its name holds the word too.
    let at = bytes.windows(9).position(|w| w == b"\x22\x07Squeeze").unwrap() + 2;
    let mut other = bytes.to_vec();
    other[at..at + 7].copy_from_slice(b"Sigmoid");
    says(&other, "Unsupported", "Pad");
    mutate::each(bytes, |bytes| read(bytes).map(drop));
}

#[test]
fn constants_of_several_dimensions_are_sliced() {
    let x = Constant { dims: vec![3, 2], data: constant::Data::Integers(vec![1, 2, 3, 4, 5, 6]) };
    let sliced = |from: i64, to: i64, axis: i64, step: i64| {
        let inputs = [x.clone(), Constant::integers(vec![from]), Constant::integers(vec![to])];
        let inputs = inputs.into_iter().chain([axis, step].map(|v| Constant::integers(vec![v])));
        let inputs: Vec<_> = inputs.map(std::rc::Rc::new).collect();
        let inputs: Vec<_> = inputs.iter().map(Some).collect();
        let mut node = Node::default();
        node.operator = "Slice";
        let c = fold::fold(&node, 13, &inputs, &Budget::new(1 << 20)).unwrap().unwrap();
        (c.dims.clone(), c.to_integers().unwrap())
    };
    assert_eq!(sliced(-1, i64::MIN, 0, -1), (vec![3, 2], vec![5, 6, 3, 4, 1, 2]));
    assert_eq!(sliced(1, 9, 1, 1), (vec![3, 1], vec![2, 4, 6]));
    assert_eq!(sliced(0, 3, 0, 2), (vec![2, 2], vec![1, 2, 5, 6]));
    assert_eq!(sliced(2, 1, -1, 1), (vec![3, 0], vec![]));
}

#[test]
fn no_mutation_panics() {
    mutate::each(&small(), |bytes| read(bytes).map(drop));
    for name in ["residual", "keras", "decoder"] {
        let path = format!("{}/tests/data/onnx/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
        mutate::some(&std::fs::read(path).unwrap(), 400, |bytes| read(bytes).map(drop));
    }
}
