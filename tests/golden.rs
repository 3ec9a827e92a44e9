//! The engine against the float64 references of tests/data: every activation and every projection,
//! to 1e-4 of its largest value.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{Fixture, error};
use unpool::explain::deconvnet::{Descent, Options, Rule, Seed, project};
use unpool::tensor::Tensor;

const TOLERANCE: f32 = 1e-4;

#[test]
fn activations_agree_with_the_reference() {
    let mut failures = Vec::new();
    for f in Fixture::all() {
        let trace = f.trace();
        let net = trace.net().clone();
        let (mut worst, mut compared) = ((0f32, String::new()), 0);
        for node in 1..net.len() {
            let name = net.name(node);
            let expected = f.activation(name);
            let shape = trace.shape(node);
            assert_eq!(expected.shape, [shape.c, shape.h, shape.w], "{}: shape of {name}", f.name);
            // A convolution before its batch norm is folded into it and shows the normalised value.
            let normed = (node + 1..net.len()).any(|i| {
                net.inputs(i) == [node] && matches!(net.kind(i).map(|k| k.name()), Some("batch_norm"))
            });
            if normed {
                continue;
            }
            compared += 1;
            let e = error(trace.activation(node).data(), &expected.to_f32());
            if e >= worst.0 {
                worst = (e, name.to_owned());
            }
            if e > TOLERANCE {
                failures.push(format!("{}: {name} is off by {e:.1e} of its maximum", f.name));
            }
        }
        println!("{:<11} {compared:>3} activations, worst {:.1e} ({})", f.name, worst.0, worst.1);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn projections_agree_with_the_reference() {
    let mut failures = Vec::new();
    for f in Fixture::all() {
        let trace = f.trace();
        let mut worst = (0f32, String::new());
        for case in &f.cases {
            let node = trace.net().find(&case.layer).unwrap();
            let p = project(&trace, node, &case.seed, &case.options).unwrap();
            let mut expected = Tensor::zeros(f.data.channels(), f.data.rect);
            expected.view_mut().copy_from(case.pixels.view());
            let e = error(p.pixels.data(), expected.data());
            if e >= worst.0 {
                worst = (e, case.text.clone());
            }
            let mut wrong = |what: String| failures.push(format!("{}: {}: {what}", f.name, case.text));
            if e > TOLERANCE {
                wrong(format!("off by {e:.1e} of its maximum"));
            }
            if p.at != case.at {
                wrong(format!("strongest unit at {:?}, not {:?}", p.at, case.at));
            }
            if (p.value - case.value).abs() > TOLERANCE * case.value.abs() {
                wrong(format!("value {}, not {}", p.value, case.value));
            }
            if !p.receptive_field.covers(&case.rect) {
                wrong(format!("receptive field {:?} misses {:?}", p.receptive_field, case.rect));
            }
            let units = match case.seed {
                Seed::Unit { .. } => 1,
                Seed::Strongest { k, .. } => k,
                Seed::Map { .. } => trace.shape(node).rect().area(),
            };
            if p.units != units {
                wrong(format!("{} units seeded, not {units}", p.units));
            }
        }
        println!("{:<11} {:>3} projections, worst {:.1e} ({})", f.name, f.cases.len(), worst.0, worst.1);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The numbers that Captum's tests publish, read off by hand and not from a fixture.
#[test]
fn captums_one_convolution_case() {
    let trace = Fixture::named("captum").trace();
    let node = trace.net().find("out").unwrap();
    for (rule, expected) in [
        (Rule::Deconvnet, [2., 3., 3., 1., 3., 5., 5., 2., 3., 5., 5., 2., 1., 2., 2., 1.]),
        (Rule::Guided, [0., 1., 1., 1., 1., 3., 3., 2., 1., 3., 3., 2., 1., 2., 2., 1.]),
    ] {
        let options = Options { descent: Descent { rule, ..Descent::default() }, randomise: None };
        let p = project(&trace, node, &Seed::Unit { map: 0, at: Some([0, 0]) }, &options).unwrap();
        let scaled: Vec<f32> = p.pixels.data().iter().map(|v| v / p.value).collect();
        assert!(error(&scaled, &expected) < 1e-6, "{rule:?}: {scaled:?}");
    }
}

/// Seen from the reference's side: these fixtures do hold the hard cases they are there for.
#[test]
fn fixtures_hold_what_they_are_for() {
    let collisions = |trace: &unpool::net::Trace, layer: &str| {
        let s = trace.switches(trace.net().find(layer).unwrap()).unwrap();
        let mut seen = std::collections::HashSet::new();
        s.iter().filter(|at| !seen.insert(**at)).count()
    };
    let overlap = Fixture::named("overlap").trace();
    assert!(collisions(&overlap, "pool1") > 20 && collisions(&overlap, "pool2") > 5);
    let ties = Fixture::named("ties");
    let flat = ties.activation("relu2").to_f32();
    let zeros = flat.iter().filter(|v| **v == 0.0).count();
    assert!(zeros > flat.len() / 4 && zeros < flat.len(), "{zeros} of {}", flat.len());
    let pooled = ties.activation("pool2").to_f32();
    assert!(pooled.iter().filter(|v| **v == 0.0).count() > 10, "no window is all zero");
    assert!(Fixture::all().iter().map(|f| f.cases.len()).sum::<usize>() > 500);
}
