//! Specs that are no specs, and mutations of good ones.

use super::*;

#[test]
fn json_that_is_no_spec() {
    for text in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"name": "n"}"#,
        r#"{"name": "n", "input": {}, "layers": []}"#,
        r#"{"name": "n", "input": {"shape": [1, 2]}, "layers": []}"#,
        r#"{"name": "n", "input": {"shape": [1, -2, 3]}, "layers": []}"#,
        r#"{"name": "n", "input": {"shape": [1, 2, 1e30]}, "layers": []}"#,
        r#"{"name": "n", "input": {"shape": [1, 2, 3], "order": "gbr"}, "layers": []}"#,
        r#"{"name": "n", "input": {"shape": [1, 2, 3]}, "layers": [{"name": "a"}]}"#,
        r#"{"name": "n", "input": {"shape": [1, 2, 3]}, "layers": [{"kind": "relu"}]}"#,
        r#"{"name": "n", "input": {"shape": [1, 2, 3]}, "layers": [{"name": "a", "kind": "elu"}]}"#,
        r#"{"name": "n", "input": {"shape": [1, 2, 3]}, "layers": [{"name": "a", "kind": "conv", "filters": 1}]}"#,
        r#"{"name": "n", "input": {"shape": [1, 2, 3]}, "layers": [{"name": "a", "kind": "conv", "filters": -1, "kernel": [1, 1]}]}"#,
        r#"{"name": "n", "input": {"shape": [1, 2, 3]}, "layers": [{"name": "a", "kind": "max_pool", "kernel": [1, 1, 1]}]}"#,
        r#"{"name": "n", "input": {"shape": [1, 2, 3]}, "layers": [{"name": "a", "kind": "relu", "inputs": "data"}]}"#,
    ] {
        assert!(serde_json::from_str::<Spec>(text).is_err(), "taken: {text}");
    }
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(serde_json::from_str::<Spec>(&nested).is_err());
}

/// Specs of all fixtures with values changed, keys dropped and layers shuffled: an error or a
/// network that runs, never a panic; and the address space hardly grows.
#[test]
fn mutated_specs_never_panic() {
    let before = address_space();
    let (mut refused, mut ran, mut unread) = (0, 0, 0);
    for f in Fixture::all() {
        let spec = serde_json::to_value(&f.spec).unwrap();
        for i in 0..300 {
            let mut rng = Random(i);
            let mut changed = spec.clone();
            for _ in 0..rng.range(1, 3) {
                mutate(&mut changed, &mut rng);
            }
            let Ok(spec) = serde_json::from_value::<Spec>(changed) else {
                unread += 1;
                continue;
            };
            let shape = spec.input.shape;
            let Ok(net) = Net::new(Model { spec, weights: f.weights.clone() }) else {
                refused += 1;
                continue;
            };
            ran += 1;
            let net = Arc::new(net);
            let small = net.info().layers.iter().all(|l| l.shape.count().is_ok_and(|n| n < 100_000));
            if small && shape.count().is_ok_and(|n| n < 100_000) {
                let t = net.forward(rng.tensor(shape)).unwrap();
                project(&t, net.output(), &Seed::Unit { map: 0, at: None }, &Options::default()).unwrap();
            }
        }
    }
    println!("{refused} refused, {ran} ran, {unread} could not be read");
    assert!(refused > 300 && ran > 100 && unread > 100);
    if let (Some(before), Some(after)) = (before, address_space()) {
        assert!(after - before < 2 << 30, "the address space grew by {} MiB", (after - before) >> 20);
    }
}

/// Peak size of this process's address space in bytes, where the system tells.
fn address_space() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmPeak"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? << 10)
}

/// Changes one random value somewhere below `v`.
fn mutate(v: &mut Value, rng: &mut Random) {
    match v {
        Value::Object(map) => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let key = &keys[rng.range(0, keys.len() - 1)];
            match rng.range(0, 19) {
                0 => drop(map.remove(key)),
                1 => drop(map.insert(key.clone(), Value::Null)),
                _ => mutate(map.get_mut(key).unwrap(), rng),
            }
        }
        Value::Array(list) if !list.is_empty() => {
            let (i, k) = (rng.range(0, list.len() - 1), rng.range(0, list.len() - 1));
            match rng.range(0, 19) {
                0 => drop(list.remove(i)),
                1 => list.swap(i, k),
                2 => list.insert(i, list[k].clone()),
                _ => mutate(&mut list[i], rng),
            }
        }
        Value::Number(n) => {
            let old = n.as_u64().unwrap_or(1);
            let choices = [
                0,
                1,
                2,
                3,
                old.wrapping_add(1),
                old.wrapping_sub(1),
                old.wrapping_mul(2),
                65_536,
                HUGE,
                u64::MAX,
            ];
            *v = match rng.range(0, 42) {
                40 => json!(-1),
                41 => json!(1e39),
                42 => json!("7"),
                i => json!(choices[i % 10]),
            };
        }
        Value::Bool(flag) => *flag = !*flag,
        Value::String(s) => {
            const WORDS: [&str; 9] =
                ["", "data", "relu", "conv", "concat", "sum", "max_pool", "lrn", "softmax"];
            *s = match rng.range(0, 10) {
                9 => format!("{s}x"),
                10 => "х".repeat(3),
                i => WORDS[i].into(),
            };
        }
        _ => *v = json!(3),
    }
}
