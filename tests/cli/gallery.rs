//! `unpool gallery`: what it finds, parts, interrupts, and bad input.

use crate::common::{Bench, noise};
use serde_json::{Value, json};

/// A folder `in` of tensors and one of photos, some of which are not what they seem.
fn bench() -> Bench {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("in/deep")).unwrap();
    for i in 0..9 {
        let folder = if i % 2 == 0 { "in" } else { "in/deep" };
        bench.save(&format!("{folder}/{i}.npy"), &[3, 16, 16], &noise(3 * 16 * 16, 100 + i));
    }
    bench
}

fn peak(bench: &Bench, input: &str, layer: &str, map: usize) -> (f32, [usize; 2]) {
    bench.text(&format!("run tiny {input} --layer {layer} --output y.npy"));
    let y = bench.array("y.npy");
    let plane = y.shape[1] * y.shape[2];
    let map = &y.values[map * plane..(map + 1) * plane];
    let best =
        map.iter().enumerate().fold((0, f32::NEG_INFINITY), |b, (i, v)| if *v > b.1 { (i, *v) } else { b });
    (best.1, [best.0 / y.shape[2], best.0 % y.shape[2]])
}

#[test]
fn entries_are_the_maxima_of_the_inputs() {
    let bench = bench();
    let built = bench.json("gallery build tiny in --top 4 --output g.safetensors");
    assert_eq!((&built["searched"], &built["skipped"]), (&9.into(), &json!([])));
    assert_eq!(built["layers"], json!(["relu1", "conv2"]));
    for (layer, map) in [("relu1", 2), ("conv2", 3)] {
        let shown = bench.json(&format!("gallery show g.safetensors --layer {layer} --map {map}"));
        assert_eq!((&shown["layer"], &shown["map"]), (&layer.into(), &map.into()));
        let mut expected: Vec<(f32, [usize; 2], String)> = (0..9)
            .map(|i| {
                let name = if i % 2 == 0 { format!("{i}.npy") } else { format!("deep/{i}.npy") };
                let (value, at) = peak(&bench, &format!("in/{name}"), layer, map);
                (value, at, name)
            })
            .collect();
        expected.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.2.cmp(&b.2)));
        let entries = shown["entries"].as_array().unwrap();
        assert_eq!(entries.len(), 4);
        for (entry, (value, at, name)) in entries.iter().zip(expected) {
            assert_eq!((&entry["image"], &entry["at"]), (&json!(name), &json!(at)), "{layer}");
            assert!((entry["value"].as_f64().unwrap() as f32 - value).abs() <= 1e-5 * value.abs());
        }
    }
    let summary = bench.json("gallery show g.safetensors");
    assert_eq!(
        (&summary["model"], &summary["searched"], &summary["top"]),
        (&"tiny".into(), &9.into(), &4.into())
    );
    assert!(bench.text("gallery show g.safetensors --layer conv2 --map 0").contains("deep/"));
}

#[test]
fn parts_in_any_order_give_the_bytes_of_the_whole() {
    let bench = bench();
    bench.text("gallery build tiny in --output whole.safetensors --threads 1");
    for i in 1..=4 {
        bench.text(&format!("gallery build tiny in --shard {i}/4 --output part{i}.safetensors --threads 3"));
    }
    bench.text("gallery merge part3.safetensors part1.safetensors --output a.safetensors");
    bench.text("gallery merge part4.safetensors part2.safetensors a.safetensors --output all.safetensors");
    assert!(bench.read("all.safetensors") == bench.read("whole.safetensors"));
    bench.text("gallery merge whole.safetensors --layers conv2 --output conv2.safetensors");
    bench.text("gallery build tiny in --layers conv2 --output alone.safetensors");
    assert!(bench.read("conv2.safetensors") == bench.read("alone.safetensors"));
    // Layer by layer of one part, the other part whole: what both hold is joined, in whatever order.
    for (part, layer) in [(1, "relu1"), (1, "conv2"), (2, "relu1"), (2, "conv2")] {
        let line = format!("gallery merge part{part}.safetensors --layers {layer}");
        bench.text(&format!("{line} --output {part}-{layer}.safetensors"));
    }
    bench.text("gallery merge part1.safetensors part2.safetensors --output both.safetensors");
    let layers = "2-conv2.safetensors part1.safetensors 2-relu1.safetensors";
    bench.text(&format!("gallery merge {layers} --output all.safetensors"));
    assert!(bench.read("all.safetensors") == bench.read("both.safetensors"));
    bench.text(&format!("gallery merge {layers} --layers conv2 --output all.safetensors"));
    bench.text("gallery merge both.safetensors --layers conv2 --output conv2-both.safetensors");
    assert!(bench.read("all.safetensors") == bench.read("conv2-both.safetensors"));
    bench.fails(
        "gallery merge part1.safetensors 2-relu1.safetensors --output x.safetensors",
        &["relu1 and conv2 were searched over", "name layers"],
    );
    bench.fails(
        "gallery merge part1.safetensors 2-relu1.safetensors --layers pool1 --output x.safetensors",
        &["no layer “pool1”"],
    );
    // More parts than files: the last ones are empty, and change nothing.
    bench.text("gallery build tiny in --shard 12/12 --output none.safetensors");
    bench.text("gallery merge none.safetensors whole.safetensors --output all.safetensors");
    assert!(bench.read("all.safetensors") == bench.read("whole.safetensors"));
    bench.fails(
        "gallery merge part1.safetensors part1.safetensors --output x.safetensors",
        &["both galleries hold"],
    );
}

#[test]
fn an_interrupted_search_goes_on() {
    let bench = bench();
    bench.text("gallery build tiny in --output whole.safetensors");
    // What an interrupt after four files leaves: written by hand here, since a test cannot wait for one.
    let files: Vec<String> = {
        let mut names: Vec<String> =
            (0..9).map(|i| if i % 2 == 0 { format!("{i}.npy") } else { format!("deep/{i}.npy") }).collect();
        names.sort();
        names
    };
    std::fs::create_dir_all(bench.path("first/deep")).unwrap();
    for name in &files[..4] {
        std::fs::copy(bench.path(&format!("in/{name}")), bench.path(&format!("first/{name}"))).unwrap();
    }
    bench.text("gallery build tiny first --output first.safetensors");
    let mut gallery = unpool::format::gallery::read(&bench.read("first.safetensors")).unwrap();
    let sum = crc32fast::hash(files[..4].iter().map(|f| format!("{f}\n")).collect::<String>().as_bytes());
    gallery.header.unfinished = Some(format!("4 of 9 files, {sum:08x}"));
    bench.write("g.safetensors.unfinished", &unpool::format::gallery::write(&gallery));
    // The files that are done may even be gone.
    for name in &files[..4] {
        bench.write(&format!("in/{name}"), b"no longer read");
    }
    bench.fails(
        "gallery merge g.safetensors.unfinished --output x.safetensors whole.safetensors",
        &["unfinished"],
    );
    bench.text("gallery build tiny in --output g.safetensors");
    assert!(bench.read("g.safetensors") == bench.read("whole.safetensors"));
    assert!(!bench.path("g.safetensors.unfinished").exists());
    // Another search does not go on with it.
    bench.write("h.safetensors.unfinished", &unpool::format::gallery::write(&gallery));
    let other = bench.json("gallery build tiny in --top 3 --output h.safetensors");
    assert_eq!((&other["searched"], other["skipped"].as_array().unwrap().len()), (&5.into(), 4));
}

#[test]
fn photos_are_searched_in_windows_and_shown() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("in")).unwrap();
    let mut photos = vec![];
    for k in 0..4u8 {
        let pixel = |i: usize| ((i * (7 + usize::from(k)) / 3) % 251) as u8;
        let rgba = (0..40 * 30).flat_map(|i| [pixel(i), pixel(i / 40), pixel(i % 40 * 9), 255]).collect();
        let picture = unpool::image::Picture::new(40, 30, rgba).unwrap();
        bench.write(&format!("in/{k}.png"), &unpool::image::encode_png(&picture).unwrap());
        photos.push(picture);
    }
    bench.text("gallery build tiny in --windows 1 --output one.safetensors");
    bench.text("gallery build tiny in --windows 3 --output three.safetensors");
    let strongest = |g: &str, map: usize| -> Value {
        bench.json(&format!("gallery show {g}.safetensors --layer conv2 --map {map}"))["entries"][0].clone()
    };
    for map in 0..5 {
        let (one, three) = (strongest("one", map), strongest("three", map));
        assert_eq!(one["window"], 0);
        assert!(three["value"].as_f64() >= one["value"].as_f64(), "{one} {three}");
    }
    // The middle of a photo is what every other command sees.
    let best = (0..4).map(|k| peak(&bench, &format!("in/{k}.png"), "conv2", 1).0).fold(f32::MIN, f32::max);
    assert!((strongest("one", 1)["value"].as_f64().unwrap() as f32 - best).abs() <= 1e-5 * best.abs());
    let line =
        "gallery show three.safetensors --layer conv2 --output sheet.png --photos in --side 20 --columns 2";
    let all = bench.json(line);
    assert_eq!(
        (all.as_array().unwrap().len(), &all[4]["map"], &all[0]["output"]),
        (5, &4.into(), &"sheet.png".into())
    );
    let sheet = unpool::image::decode(&bench.read("sheet.png")).unwrap();
    // Four entries stand two by two, patches beside projections, two maps in a row.
    assert_eq!((sheet.width(), sheet.height()), (2 * (42 + 4 + 42 + 10) + 10, 3 * (42 + 10) + 10));
    bench.fails(
        "gallery show three.safetensors --layer conv2 --map 1 --output s.png --photos models",
        &["--photos"],
    );
    // Other weights under the same name: drawn, and said.
    let mut other = unpool::format::model::read(&bench.read("models/tiny.safetensors")).unwrap();
    let bias = unpool::spec::Weight::new(vec![4], vec![0.5; 4]).unwrap();
    other.weights.insert("conv1.bias".into(), bias);
    bench.write("other.safetensors", &unpool::format::model::write(&other));
    let out = bench.output(&format!("{line} --model other.safetensors"));
    assert!(out.status.success() && String::from_utf8_lossy(&out.stderr).contains("differ"), "{out:?}");
}

#[test]
fn broken_files_are_counted_named_and_passed_over() {
    let bench = bench();
    bench.text("gallery build tiny in --output whole.safetensors");
    bench.write("in/a.jpg", b"not a picture");
    bench.write("in/b.npy", b"not a tensor");
    bench.save("in/c.npy", &[3, 1, 1], &[f32::NAN; 3]);
    bench.write("in/notes.txt", b"no input at all");
    bench.write("in/.hidden.png", b"hidden");
    let built = bench.json("gallery build tiny in --output g.safetensors");
    let names: Vec<_> =
        built["skipped"].as_array().unwrap().iter().map(|s| s["image"].as_str().unwrap()).collect();
    assert_eq!(names, ["a.jpg", "b.npy", "c.npy"]);
    assert_eq!(built["searched"], 9);
    let out = bench.output("gallery build tiny in --output g.safetensors");
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(
        out.status.success() && said.lines().count() == 3 && said.starts_with("skipped: a.jpg: "),
        "{said}"
    );
    let (whole, g) = (bench.json("gallery show whole.safetensors"), bench.json("gallery show g.safetensors"));
    assert_eq!((&whole["skipped"], &g["skipped"]), (&0.into(), &3.into()));
    // One input is a gallery too; it says that it is of one.
    bench.text("gallery build tiny in/deep --shard 1/4 --output one.safetensors");
    assert_eq!(
        bench.json("gallery show one.safetensors --layer conv2 --map 0")["entries"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn refusals() {
    let bench = bench();
    std::fs::create_dir_all(bench.path("empty")).unwrap();
    std::fs::create_dir_all(bench.path("bad")).unwrap();
    bench.write("bad/a.jpg", b"not a picture");
    bench.fails("gallery build tiny empty --output g.safetensors", &["holds no photo"]);
    bench.fails("gallery build tiny missing --output g.safetensors", &["cannot read", "missing"]);
    bench.fails("gallery build tiny bad --output g.safetensors", &["none of 1 files", "a.jpg"]);
    bench.fails("gallery build tiny in in --output g.safetensors", &["would both be called"]);
    bench.fails("gallery build tiny in --layers no --output g.safetensors", &["no layer is called"]);
    bench.fails("gallery build tiny in --windows 4 --output g.safetensors", &["1 to 3 scales"]);
    bench.fails("gallery build tiny in --top 0 --output g.safetensors", &["not 0"]);
    assert!(!bench.path("g.safetensors").exists());
    bench.text("gallery build tiny in --output g.safetensors");
    bench.fails("gallery show models/tiny.safetensors", &["no gallery"]);
    bench.fails("gallery show in/0.npy", &["no gallery"]);
    bench.fails("gallery show g.safetensors --layer pool1", &["no layer “pool1”", "relu1"]);
    bench.fails("gallery show g.safetensors --layer relu1 --map 4", &["maps 0 to 3"]);
    bench.text("gallery build blind in --output b.safetensors");
    bench.fails(
        "gallery merge g.safetensors b.safetensors --output x.safetensors",
        &["model tiny in one, blind in"],
    );
    bench
        .fails("gallery show g.safetensors --layer relu1 --output s.png --model blind", &["built with tiny"]);
    for usage in [
        "build tiny in",
        "build tiny --output g.safetensors",
        "build tiny in --shard 5/4 --output g.safetensors",
    ] {
        assert_eq!(bench.output(&format!("gallery {usage}")).status.code(), Some(2), "{usage}");
    }
}
