//! Graphs that are none, layers with impossible numbers.

use super::*;

#[test]
fn the_base_case_is_sound() {
    let layers = json!([a(), {"name": "r", "kind": "relu"}, b(), {"name": "p", "kind": "softmax"}]);
    assert_eq!(trace(layers).top(9).unwrap_err().kind(), "Unsupported"); // 4×4 positions
}

#[test]
fn graphs_that_are_none() {
    let reads = |layer: Value, from: &[&str]| with(layer, "inputs", json!(from));
    net_refused(json!([]), "Shape", &["no layers"]);
    net_refused(json!([reads(a(), &["b"]), b()]), "Shape", &["a", "“b”"]);
    net_refused(json!([reads(a(), &["a"])]), "Shape", &["a"]);
    net_refused(json!([reads(a(), &["nowhere"])]), "Shape", &["a", "“nowhere”"]);
    net_refused(json!([a(), a()]), "Shape", &["“a”"]);
    net_refused(json!([a(), {"name": "data", "kind": "relu"}]), "Shape", &["“data”"]);
    net_refused(json!([a(), {"name": "", "kind": "relu"}]), "Shape", &["name"]);
    net_refused(
        json!([a(), reads(json!({"name": "r", "kind": "relu"}), &["a", "data"])]),
        "Shape",
        &["r", "one"],
    );
    net_refused(json!([a(), reads(b(), &["a", "a"])]), "Shape", &["b", "one"]);
    let join = |kind| json!([a(), {"name": "j", "kind": kind, "inputs": ["a", "data"]}]);
    net_refused(join("concat"), "Shape", &["j", "3×4×4", "2×6×6"]);
    net_refused(join("sum"), "Shape", &["j", "3×4×4", "2×6×6"]);
    let many: Vec<Value> = (0..30_000).map(|i| json!({"name": format!("r{i}"), "kind": "relu"})).collect();
    net_refused(json!(many), "Limit", &["30000"]);
}

/// Concats that double: 2^k maps after k layers. And a chain as deep as is allowed.
#[test]
fn graphs_that_grow_without_bound() {
    let mut layers = vec![json!({"name": "c0", "kind": "concat", "inputs": ["data", "data"]})];
    for i in 1..100 {
        let from = format!("c{}", i - 1);
        layers.push(json!({"name": format!("c{i}"), "kind": "concat", "inputs": [from, from]}));
    }
    net_refused(json!(layers), "Limit", &["c2"]);
    let wide = vec!["data"; 4000];
    let layers = json!([{"name": "c", "kind": "concat", "inputs": wide}, {"name": "d", "kind": "concat", "inputs": vec!["c"; 4000]}]);
    assert!(matches!(Net::new(model(layers)), Err(Error::Limit(_)) | Ok(_)));
    let deep: Vec<Value> = (0..2000)
        .map(|i| {
            let kind = ["dropout", "relu"][i % 2];
            json!({"name": format!("d{i}"), "kind": kind})
        })
        .collect();
    let t = trace(json!(deep));
    assert_eq!(t.activation(2000).data()[71], 71.0 / 72.0);
    assert_eq!(project(&t, 2000, &Seed::Map { map: 0 }, &Options::default()).unwrap().units, 36);
}

#[test]
fn layers_with_impossible_numbers() {
    for (key, value, kind) in [
        ("filters", json!(0), "Shape"),
        ("filters", json!(HUGE), "Shape"),
        ("filters", json!(u64::MAX), "Shape"),
        ("groups", json!(0), "Shape"),
        ("groups", json!(2), "Shape"),
        ("groups", json!(HUGE), "Shape"),
        ("kernel", json!([0, 3]), "Shape"),
        ("kernel", json!([HUGE, HUGE]), "Limit"),
        ("stride", json!([1, 0]), "Shape"),
        ("stride", json!([HUGE, 1]), "Limit"),
        ("dilation", json!([0, 0]), "Shape"),
        ("dilation", json!([1, u64::MAX]), "Limit"),
        ("pad", json!([0, 0, HUGE, 0]), "Limit"),
        ("dilation", json!([3, 1]), "Shape"),
        ("connections", json!([[0], [1]]), "Shape"),
        ("connections", json!([[0], [1], [2]]), "Shape"),
        ("connections", json!([[0], [1], [HUGE]]), "Shape"),
    ] {
        net_refused(json!([with(a(), key, value)]), kind, &["a: "]);
    }
    let pool = |more: Value| {
        let mut p = json!({"name": "p", "kind": "max_pool", "kernel": [2, 2]});
        p.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!([a(), p])
    };
    for (more, kind) in [
        (json!({"kernel": [5, 5]}), "Shape"),
        (json!({"kernel": [0, 0]}), "Shape"),
        (json!({"pad": [2, 0, 0, 0]}), "Shape"),
        (json!({"pad": [0, 0, 2, 0]}), "Shape"),
        (json!({"dilation": [2, 2]}), "Unsupported"),
        (json!({"maps": 0}), "Shape"),
        (json!({"maps": 2}), "Shape"),
        (json!({"maps": HUGE}), "Shape"),
        (json!({"stride": [0, 1]}), "Shape"),
        (json!({"kind": "avg_pool", "pad": [0, 7, 0, 0]}), "Shape"),
        (json!({"kind": "avg_pool", "dilation": [1, 3]}), "Unsupported"),
        (json!({"kind": "avg_pool", "kernel": [HUGE, 1]}), "Limit"),
        (json!({"kind": "subsample"}), "Shape"),
        (json!({"kind": "lrn", "size": 0, "alpha": 1, "beta": 1, "k": 1}), "Parameter"),
        (json!({"kind": "lrn", "size": 5, "alpha": -1, "beta": 1, "k": 1}), "Parameter"),
        (json!({"kind": "lrn", "size": 5, "alpha": 1, "beta": 1, "k": 0}), "Parameter"),
        (json!({"kind": "dense", "units": 0}), "Shape"),
        (json!({"kind": "dense", "units": HUGE}), "Shape"),
        (json!({"kind": "batch_norm", "eps": 1}), "Shape"),
    ] {
        net_refused(pool(more), kind, &["p: "]);
    }
    // Sizes that are odd but mean something.
    for size in [HUGE, u64::MAX] {
        let t = trace(pool(json!({"kind": "lrn", "size": size, "alpha": 1, "beta": 1, "k": 1})));
        assert!(t.activation(2).data().iter().all(|v| v.is_finite()));
        project(&t, 2, &Seed::Unit { map: 0, at: None }, &Options::default()).unwrap();
    }
}

#[test]
fn imported_kinds_with_impossible_numbers() {
    let one = |layer: Value| json!([layer]);
    net_refused(one(json!({"name": "s", "kind": "scale"})), "Shape", &["s: constants for 2×6×6"]);
    net_refused(one(json!({"name": "p", "kind": "prelu"})), "Shape", &["p: ", ".slope"]);
    net_refused(
        one(json!({"name": "c", "kind": "clip", "min": 2, "max": 1})),
        "Parameter",
        &["between 2 and 1"],
    );
    net_refused(one(json!({"name": "t", "kind": "transpose", "order": [0, 0, 1]})), "Shape", &["no order"]);
    net_refused(one(json!({"name": "r", "kind": "reshape", "shape": [2, 6, 7]})), "Shape", &["2×6×7"]);
    net_refused(
        one(json!({"name": "p", "kind": "pad", "pad": [9, 0, 0, 0], "mode": "reflect"})),
        "Shape",
        &["wider"],
    );
    net_refused(one(json!({"name": "p", "kind": "pad", "pad": [HUGE, 0, 0, 0]})), "Limit", &["65536"]);
    let up =
        json!({"name": "u", "kind": "conv_transpose", "filters": 3, "kernel": [3, 3], "output_pad": [1, 0]});
    net_refused(one(up.clone()), "Shape", &["output padding"]);
    let up = with(with(up, "output_pad", json!([0, 0])), "stride", json!([1 << 16, 1 << 16]));
    net_refused(one(up), "Shape", &["u: ", ".weight"]);
    let wide = json!({"shape": [HUGE, 1, 1]});
    let leaky = one(json!({"name": "l", "kind": "leaky", "alpha": 0.1}));
    refused(Net::new(model_of(wide, leaky)), "Limit", &["l: "]);
}
