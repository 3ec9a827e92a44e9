//! `unpool filters`: numbers, sheet, comparison, and what cannot be diagnosed.

use crate::common::{Bench, noise, tiny};
use unpool::format::model;
use unpool::spec::{Kind, Weight};

#[test]
fn numbers_come_as_text_json_and_picture() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("photos")).unwrap();
    for i in 0..3 {
        bench.save(&format!("photos/{i}.npy"), &[3, 16, 16], &noise(768, 10 + i));
    }
    bench.write("photos/broken.png", b"\x89PNG\r\n\x1a\n nothing");
    let all = bench.json("filters tiny --photos photos --output sheet.png --sort frequency");
    assert_eq!((all["layer"].as_str(), all["shape"].to_string().as_str()), (Some("conv1"), "[4,3,3,3]"));
    let filters = all["filters"].as_array().unwrap();
    assert_eq!((filters.len(), all["spectrum"].as_array().unwrap().len()), (4, 20));
    assert!(filters.windows(2).all(|w| w[0]["frequency"].as_f64() <= w[1]["frequency"].as_f64()));
    assert!(filters.iter().all(|f| f["rms"].as_f64().unwrap() > 0.1 && f["peak"].is_number()));
    assert_eq!(all["inputs"], 3);
    assert!(all["skipped"][0].as_str().unwrap().contains("broken.png"));
    assert_eq!(all["aliasing"]["layer"], "conv2");
    let sheet = unpool::image::decode(&bench.read("sheet.png")).unwrap();
    assert!(sheet.width() > 200 && sheet.height() > 200);
    let text = bench.text("filters tiny");
    assert!(text.contains("4 filters of 3×3, stride 1") && text.contains("--photos"), "{text}");
}

#[test]
fn a_comparison_says_which_complaint_is_remedied() {
    let bench = Bench::new();
    let mut worse = tiny(true);
    let mut values = worse.weights["conv1.weight"].to_f32();
    values[..27].fill(0.0);
    worse.weights.insert("conv1.weight".into(), Weight::new(vec![4, 3, 3, 3], values).unwrap());
    worse.spec.name = "worse".into();
    bench.write("models/worse.safetensors", &model::write(&worse));
    let all = bench.json("filters tiny --against worse");
    let dead = &all["comparison"]["findings"][0];
    assert_eq!((dead["what"].as_str(), dead["change"].as_i64()), (Some("dead"), Some(-1)));
    assert_eq!((dead["a"].as_f64(), dead["b"].as_f64()), (Some(0.25), Some(0.0)));
    assert_eq!(all["comparison"]["remedied"], false, "aliasing was not measured");
    let text = bench.text("filters worse --against tiny");
    assert!(text.contains("more dead filters (25.0 % of the filters, 0.0 % before)"), "{text}");
}

#[test]
fn a_gallery_tells_the_dead_ones() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("photos")).unwrap();
    bench.save("photos/a.npy", &[3, 16, 16], &noise(768, 5));
    let mut model = tiny(true);
    model.weights.insert("conv1.bias".into(), Weight::new(vec![4], vec![0.0, -1e6, 0.0, 0.0]).unwrap());
    bench.write("models/tiny.safetensors", &model::write(&model));
    bench.text("gallery build tiny photos --layers relu1 --output g.safetensors");
    let all = bench.json("filters tiny --gallery g.safetensors");
    assert_eq!((all["counts"][0].as_u64(), all["filters"][1]["dead"].as_bool()), (Some(1), Some(true)));
    bench.text("gallery build tiny photos --layers conv2 --output h.safetensors");
    bench.fails("filters tiny --gallery h.safetensors", &["conv1", "--layers relu1"]);
    bench.fails("filters blind --gallery g.safetensors", &["built with tiny"]);
}

#[test]
fn what_has_no_filters_is_refused() {
    let bench = Bench::new();
    bench.fails("filters tiny --layer pool1", &["pool1 has no filters"]);
    bench.fails("filters tiny --layer nothing", &["nothing", "conv1"]);
    bench.fails(
        "filters tiny --layer conv2 --output sheet.png",
        &["read 4 maps", "only those that read pixels"],
    );
    bench.fails("filters tiny --dead 2", &["rules"]);
    let mut model = tiny(false);
    model.spec.layers.retain(|l| !matches!(l.kind, Kind::Conv { .. }));
    model.weights.clear();
    bench.write("models/none.safetensors", &model::write(&model));
    bench.fails("filters none", &["no convolution"]);
    std::fs::create_dir(bench.path("empty")).unwrap();
    bench.fails("filters tiny --photos empty", &["holds no photo"]);
    bench.write("empty/x.png", b"\x89PNG\r\n\x1a\n nothing");
    bench.fails("filters tiny --photos empty", &["none of 1 photos", "x.png"]);
}
