//! Inputs and requests that no network can answer.

use super::*;

#[test]
fn inputs_that_are_none() {
    let check = |input: Value, kind: &str, says: &[&str]| {
        refused(Net::new(model_of(input, json!([a()]))), kind, says)
    };
    check(json!({"shape": [2, 0, 6]}), "Shape", &["2×0×6"]);
    check(json!({"shape": [0, 6, 6]}), "Shape", &["input"]);
    check(json!({"shape": [2, 2, 6]}), "Shape", &["a: "]);
    check(json!({"shape": [5, 6, 6]}), "Shape", &["a: "]);
    check(json!({"shape": [2, HUGE, HUGE]}), "Limit", &["values"]);
    check(json!({"shape": [2, HUGE, 6]}), "Limit", &["a: "]);
    check(json!({"shape": [u64::MAX, u64::MAX, 2]}), "Limit", &["values"]);
    check(json!({"shape": [2, 6, 6], "mean": [1, 2, 3]}), "Shape", &["mean"]);
    check(json!({"shape": [2, 6, 6], "std": [1]}), "Shape", &["std"]);
    check(json!({"shape": [2, 6, 6], "std": [1, 0]}), "Parameter", &["std"]);
    check(json!({"shape": [2, 6, 6], "std": [1, -4]}), "Parameter", &["std"]);
    let mut m = model(json!([a()]));
    m.spec.input.mean = vec![f32::NAN, 0.0];
    refused(Net::new(m), "Parameter", &["mean"]);
    let mut m = model(json!([a(), {"name": "p", "kind": "softmax"}]));
    m.spec.classes = vec!["cat".into(), "dog".into()];
    refused(Net::new(m), "Shape", &["2 class names", "3"]);

    let net =
        Arc::new(Net::new(model(json!([a(), {"name": "d", "kind": "max_pool", "kernel": [4, 4]}]))).unwrap());
    let forward = |t: Tensor| net.forward(t);
    for (i, bad) in [(0, f32::NAN), (41, f32::INFINITY), (71, f32::NEG_INFINITY)] {
        let mut t = Tensor::zeros(2, Rect::full(6, 6));
        t.data_mut()[i] = bad;
        let place = format!("channel {}, row {}, column {}", i / 36, i % 36 / 6, i % 6);
        refused(forward(t), "Malformed", &[&place]);
    }
    refused(forward(Tensor::zeros(3, Rect::full(6, 6))), "Shape", &["2", "3"]);
    refused(forward(Tensor::zeros(2, Rect::full(0, 6))), "Shape", &["a: "]);
    refused(forward(Tensor::zeros(0, Rect::full(6, 6))), "Shape", &["0"]);
    refused(forward(Tensor::zeros(2, Rect::full(2, 6))), "Shape", &["a: "]);
    refused(forward(Tensor::zeros(2, Rect::full(5, 6))), "Shape", &["d: "]);
    refused(forward(Tensor::zeros(2, Rect::new(1, 1, 7, 7))), "Shape", &["row 0"]);
    refused(net.forward_batch(vec![]), "Parameter", &["no input"]);
    let two = vec![Tensor::zeros(2, Rect::full(6, 6)), Tensor::zeros(2, Rect::full(6, 7))];
    refused(net.forward_batch(two), "Shape", &["2×6×6", "2×6×7"]);
    let dense = Fixture::named("alexnet");
    let dense = Arc::new(Net::new(dense.model()).unwrap());
    refused(dense.forward(Tensor::zeros(3, Rect::full(120, 120))), "Shape", &["fc6: ", "own input size"]);
}

#[test]
fn requests_for_what_is_not_there() {
    let t = trace(
        json!([a(), {"name": "r", "kind": "relu"}, b(), {"name": "side", "kind": "relu", "inputs": ["a"]}]),
    );
    let node = t.net().find("b").unwrap();
    let options = Options::default();
    let go = |seed| project(&t, node, &seed, &options);
    refused(t.net().find("c"), "Parameter", &["“c”", "net"]);
    refused(t.net().find(""), "Parameter", &["“”"]);
    refused(t.net().find("ö̶\u{0}"), "Parameter", &["a, r, b, side"]);
    refused(go(Seed::Unit { map: 4, at: None }), "Parameter", &["b", "0 to 3", "4"]);
    refused(go(Seed::Unit { map: usize::MAX, at: Some([0, 0]) }), "Parameter", &["b"]);
    refused(go(Seed::Unit { map: 0, at: Some([4, 0]) }), "Parameter", &["b", "4 rows"]);
    refused(go(Seed::Unit { map: 0, at: Some([0, usize::MAX]) }), "Parameter", &["b", "4 columns"]);
    refused(go(Seed::Map { map: 4 }), "Parameter", &["b"]);
    refused(go(Seed::Strongest { map: 9, k: 2 }), "Parameter", &["b"]);
    refused(go(Seed::Strongest { map: 0, k: 0 }), "Parameter", &["0"]);
    assert_eq!(go(Seed::Strongest { map: 0, k: usize::MAX }).unwrap().units, 16);
    refused(t.map(node, 4), "Parameter", &["b"]);
    refused(t.value(node, 0, [0, 4]), "Parameter", &["b"]);
    refused(t.summary(node, 5), "Parameter", &["b"]);
    refused(t.unit_at(node, 4, [0, 0]), "Parameter", &["b"]);
    refused(t.top(5), "Unsupported", &["no classifier"]);
    let unit = Seed::Unit { map: 0, at: None };
    refused(way(&t, node, &Seed::Map { map: 7 }, &options), "Parameter", &["b"]);
    refused(step(&t, node, &unit, &options, 1, 3), "Parameter", &["a"]);
    refused(step(&t, node, &unit, &options, t.net().find("side").unwrap(), 0), "Parameter", &["side"]);
}
