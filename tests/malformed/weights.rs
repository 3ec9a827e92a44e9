//! Weights that do not fit, are no numbers, or make numbers that are none.

use super::*;

#[test]
fn weights_that_do_not_fit_the_spec() {
    net_refused(json!([with(a(), "filters", json!(4))]), "Shape", &["a", "[4, 2, 3, 3]", "[3, 2, 3, 3]"]);
    net_refused(json!([with(a(), "kernel", json!([3, 2]))]), "Shape", &["a", "weight"]);
    net_refused(json!([a(), with(b(), "groups", json!(3)),]), "Shape", &["b", "groups"]);
    net_refused(json!([b()]), "Shape", &["b", "weight"]);
    net_refused(json!([with(a(), "name", json!("other"))]), "Shape", &["other", "weight"]);
    let change = |edit: &dyn Fn(&mut Weights), kind: &str, says: &[&str]| {
        let mut m = model(json!([a(), {"name": "r", "kind": "relu"}, b()]));
        edit(&mut m.weights);
        refused(Net::new(m), kind, says);
    };
    let ones = |n: usize| Weight::new(vec![n], vec![1.0; n]).unwrap();
    change(&|w| drop(w.remove("b.weight")), "Shape", &["b", "weight"]);
    change(&|w| drop(w.insert("b.bias".into(), ones(5))), "Shape", &["b", "bias"]);
    change(&|w| drop(w.insert("b.bias".into(), ones(0))), "Shape", &["b", "bias"]);
    change(&|w| drop(w.insert("extra.weight".into(), ones(1))), "Shape", &["extra.weight"]);
    change(&|w| drop(w.insert("r.weight".into(), ones(1))), "Shape", &["r.weight"]);
}

/// They are loaded, counted, and nothing that runs on them panics or never ends.
#[test]
fn weights_that_are_not_numbers() {
    let global = || json!({"name": "g", "kind": "global_avg"});
    let softmax = || json!({"name": "prob", "kind": "softmax"});
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for name in ["a.weight", "a.bias", "b.weight", "b.bias"] {
            for half in [false, true] {
                let mut m = model(json!([a(), {"name": "r", "kind": "relu"}, b(), global(), softmax()]));
                let w = m.weights.get_mut(name).unwrap();
                let mut values = w.to_f32();
                *values.last_mut().unwrap() = bad;
                *w = Weight::new(w.shape.clone(), values).unwrap();
                if half {
                    *w = w.to_f16();
                }
                runs(m, 1);
            }
        }
    }
    for (part, bad) in [("mean", f32::NAN), ("var", f32::NAN), ("weight", f32::INFINITY), ("bias", f32::NAN)]
    {
        for before in [json!([a()]), json!([a(), {"name": "r", "kind": "relu"}])] {
            runs(normed(before, part, bad), 1);
        }
    }
    // A negative variance is no damage of training but of the file.
    refused(Net::new(normed(json!([a()]), "var", -1.0)), "Malformed", &["bn", "variance"]);
}

/// Layers and a batch normalisation behind them, one number of which is another.
fn normed(mut layers: Value, part: &str, bad: f32) -> Model {
    layers.as_array_mut().unwrap().push(json!({"name": "bn", "kind": "batch_norm", "eps": 1e-5}));
    let mut m = model(layers);
    for p in ["mean", "var", "weight", "bias"] {
        let v = if p == part { vec![1.0, bad, 1.0] } else { vec![1.0; 3] };
        m.weights.insert(format!("bn.{p}"), Weight::new(vec![3], v).unwrap());
    }
    m
}

/// Runs all there is on a network with so many broken weights.
fn runs(m: Model, broken: usize) {
    let net = Arc::new(Net::new(m).unwrap());
    assert_eq!((net.broken(), net.info().broken), (broken, broken));
    let trace = net.forward(Tensor::new(Shape::new(2, 6, 6), vec![0.5; 72]).unwrap()).unwrap();
    if net.classifier().is_some()
        && let Err(e) = trace.top(5)
    {
        assert!(e.message().contains("1 of its weights is"), "{e}");
    }
    for node in 0..net.len() {
        let maps = trace.maps(node).len();
        for seed in [Seed::Unit { map: maps - 1, at: None }, Seed::Strongest { map: 0, k: 3 }] {
            project(&trace, node, &seed, &Options::default()).unwrap();
            way(&trace, node, &seed, &Options::default()).unwrap();
        }
    }
}

/// Finite weights whose sums overflow: nothing to refuse beforehand, but nothing may panic.
#[test]
fn activations_that_overflow() {
    let mut m = model(
        json!([a(), {"name": "r", "kind": "relu"}, b(), {"name": "n", "kind": "lrn", "size": 3, "alpha": 1, "beta": 0.75, "k": 1},
        {"name": "g", "kind": "global_avg"}, {"name": "p", "kind": "softmax"}]),
    );
    for name in ["a.weight", "b.weight"] {
        let w = m.weights.get_mut(name).unwrap();
        *w = Weight::new(
            w.shape.clone(),
            (0..w.len()).map(|i| if i % 2 == 0 { 3e38 } else { -3e38 }).collect(),
        )
        .unwrap();
    }
    let net = Arc::new(Net::new(m).unwrap());
    let t = net.forward(Tensor::new(Shape::new(2, 6, 6), vec![9.0; 72]).unwrap()).unwrap();
    assert!(!t.activation(3).data().iter().all(|v| v.is_finite()), "the test overflows nothing");
    refused(t.top(3), "Malformed", &["no number", "overflow"]);
    for node in 1..net.len() {
        assert_eq!(t.maps(node).len(), t.shape(node).c);
        for seed in [Seed::Unit { map: 0, at: None }, Seed::Strongest { map: 1, k: 3 }, Seed::Map { map: 2 }]
        {
            project(&t, node, &seed, &Options::default()).unwrap();
            way(&t, node, &seed, &Options::default()).unwrap();
        }
    }
}
