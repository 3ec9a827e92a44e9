//! `unpool train`: a network from folders of pictures, gone on with, kept at epochs; and everything that cannot be trained.

use crate::common::Bench;
use unpool::format::model;
use unpool::image::{Picture, encode_png};

const SPEC: &str = r#"{"network": {"name": "small", "input": {"shape": [3, 8, 8], "mean": [128, 128, 128], "std": [64, 64, 64]},
    "layers": [{"name": "conv1", "kind": "conv", "filters": 4, "kernel": [3, 3]}, {"name": "relu1", "kind": "relu"},
    {"name": "pool1", "kind": "max_pool", "kernel": [2, 2], "stride": [2, 2]},
    {"name": "fc2", "kind": "dense", "units": 2}, {"name": "prob", "kind": "softmax"}]},
    "training": {"epochs": 2, "batch": 8, "rate": 0.05}}"#;

/// Red and blue pictures of mixed sizes in a folder each.
fn pictures(bench: &Bench, each: usize) {
    for (class, colour) in [("red", [220, 40, 30]), ("blue", [20, 50, 210])] {
        std::fs::create_dir_all(bench.path(&format!("data/{class}"))).unwrap();
        for i in 0..each {
            let (w, h) = (8 + i % 3, 9 + 2 * (i % 4));
            let rgba = (0..w * h)
                .flat_map(|p| [colour[0] + (p % 13) as u8, colour[1], colour[2] + (i % 7) as u8, 255]);
            let picture = Picture::new(w, h, rgba.collect()).unwrap();
            bench.write(&format!("data/{class}/{i}.png"), &encode_png(&picture).unwrap());
        }
    }
    bench.write("spec.json", SPEC.as_bytes());
}

#[test]
fn folders_of_pictures_train_a_network_that_opens_everywhere() {
    let bench = Bench::new();
    pictures(&bench, 20);
    bench.write("data/red/broken.png", b"\x89PNG\r\n\x1a\n nothing");
    bench.write("data/red/notes.txt", b"not a picture");
    bench.write("data/.hidden", b"");
    let all = bench.json("train spec.json --data data --checkpoints 0,1 --output m.safetensors");
    assert_eq!((all["train"].as_u64(), all["test"].as_u64()), (Some(36), Some(4)));
    assert_eq!(all["classes"].to_string(), r#"["blue","red"]"#);
    let skipped: Vec<&str> =
        all["skipped"].as_array().unwrap().iter().map(|s| s["file"].as_str().unwrap()).collect();
    assert_eq!(skipped, ["red/broken.png", "red/notes.txt"]);
    assert_eq!(all["epochs"][1]["test"]["accuracy"].as_f64(), Some(1.0), "{all}");
    let top = bench.json("classify m.safetensors data/red/3.png --top 1");
    assert_eq!(top[0]["label"], "red");
    let first = model::read(&bench.read("m-epoch-0.safetensors")).unwrap();
    assert_ne!(first.weights, model::read(&bench.read("m-epoch-1.safetensors")).unwrap().weights);
    assert!(bench.text("filters m-epoch-1.safetensors").contains("4 filters of 3×3"));

    // One epoch more, from the state; the whole run in one gives the same.
    bench.text("train spec.json --data data --epochs 3 --resume --output m.safetensors");
    bench.text("train spec.json --data data --epochs 3 --output n.safetensors");
    let weights = |name: &str| model::read(&bench.read(name)).unwrap().weights;
    assert_eq!(weights("m.safetensors"), weights("n.safetensors"));
    bench
        .text("train spec.json --data data --epochs 1 --half --weights m.safetensors --output h.safetensors");
    assert!(bench.read("h.safetensors").len() < bench.read("m.safetensors").len());
}

#[test]
fn data_and_settings_that_cannot_be_trained_with_are_refused() {
    let bench = Bench::new();
    pictures(&bench, 3);
    let fails = |data: &str, says: &[&str]| {
        bench.fails(&format!("train spec.json --data {data} --output m.safetensors"), says);
        assert!(!bench.path("m.safetensors").exists());
    };
    std::fs::create_dir_all(bench.path("empty")).unwrap();
    fails("empty", &["0 folders", "at least two classes"]);
    std::fs::create_dir_all(bench.path("one/only")).unwrap();
    bench.write("one/only/a.png", &bench.read("data/red/0.png"));
    fails("one", &["1 folder ", "at least two classes"]);
    std::fs::create_dir_all(bench.path("one/other")).unwrap();
    bench.write("one/other/b.png", b"nothing");
    fails("one", &["pictures of 1 class", "other/b.png"]);
    fails("nowhere", &["nowhere is no folder", "mnist"]);
    fails("mnist", &["./build.sh data mnist"]);
    std::fs::create_dir_all(bench.path("data/third")).unwrap();
    bench.write("data/third/c.png", &bench.read("data/red/0.png"));
    fails("data", &["2 outputs", "3 classes"]);

    let spec = |from: &str, to: &str, says: &[&str]| {
        std::fs::remove_dir_all(bench.path("data/third")).ok();
        assert!(SPEC.contains(from));
        bench.write("spec.json", SPEC.replace(from, to).as_bytes());
        bench.fails("train spec.json --data data --output m.safetensors", says);
    };
    spec("[3, 3]}", "[9, 9]}", &["conv1", "does not fit"]);
    spec("0.05", "0", &["learning rate is 0"]);
    spec("0.05", "1e30", &["diverged", "lower learning rate"]);
    spec("\"rate\"", "\"speed\"", &["spec.json", "speed"]);
    spec("\"softmax\"", "\"relu\"", &["softmax"]);
    spec("[3, 8, 8]", "[3, 0, 8]", &["input"]);
    spec("[3, 8, 8]", "[5, 8, 8]", &["5"]);
    bench.usage("train spec.json --data data --output m.txt", "safetensors");
}

#[test]
fn a_run_is_only_gone_on_with_where_it_belongs() {
    let bench = Bench::new();
    pictures(&bench, 10);
    bench.text("train spec.json --data data --epochs 1 --output m.safetensors");
    bench.write("other.json", SPEC.replace("\"filters\": 4", "\"filters\": 5").as_bytes());
    bench.fails(
        "train other.json --data data --resume --output m.safetensors",
        &["m-state", "another network"],
    );
    bench.fails("train spec.json --data data --resume --output x.safetensors", &["x-state.safetensors"]);
    bench.fails(
        "train spec.json --data data --resume m.safetensors --output m.safetensors",
        &["no checkpoint"],
    );
    bench.write("data/red/more.png", &bench.read("data/red/0.png"));
    bench.fails("train spec.json --data data --resume --output m.safetensors", &["other data"]);

    // A run that diverges leaves the state of its last good epoch.
    std::fs::remove_file(bench.path("data/red/more.png")).unwrap();
    let before = bench.read("m-state.safetensors");
    bench.write("fast.json", SPEC.replace("0.05", "1e30").as_bytes());
    bench.fails(
        "train fast.json --data data --epochs 2 --weights m.safetensors --output m.safetensors",
        &["diverged"],
    );
    assert_eq!(bench.read("m-state.safetensors"), before);
}

/// The size of files limited, as a full disk would: no right to mount one is needed.
#[cfg(unix)]
fn limited(bench: &Bench, line: &str, blocks: usize) -> (Option<i32>, String) {
    let command = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" {line}");
    let unpool = env!("CARGO_BIN_EXE_unpool");
    let out = std::process::Command::new("bash")
        .args(["-c", &command, unpool])
        .current_dir(bench.path(""))
        .output();
    let out = out.unwrap();
    (out.status.code(), String::from_utf8(out.stderr).unwrap())
}

#[cfg(unix)]
#[test]
fn a_full_disk_costs_no_more_than_the_epoch_under_way() {
    let bench = Bench::new();
    pictures(&bench, 10);
    bench.text("train spec.json --data data --epochs 2 --output whole.safetensors");
    bench.text("train spec.json --data data --epochs 1 --output m.safetensors");
    let (state, model) = (bench.read("m-state.safetensors"), bench.read("m.safetensors"));
    let more = "train spec.json --data data --epochs 2 --resume --output m.safetensors";
    // A block has 512 or 1024 bytes: the probe fits, the state does not.
    assert!(state.len() > 1024, "{}", state.len());
    let (code, says) = limited(&bench, more, 1);
    assert_eq!(code, Some(1), "{says}");
    for what in ["cannot write m-state.safetensors", "before epoch 2 is kept", "--resume"] {
        assert!(says.contains(what), "{says}");
    }
    assert_eq!((bench.read("m-state.safetensors"), bench.read("m.safetensors")), (state, model));
    let left = std::fs::read_dir(bench.path("")).unwrap();
    assert!(!left.flatten().any(|f| f.file_name().to_string_lossy().ends_with(".part")));
    bench.text(more);
    let weights = |name: &str| model::read(&bench.read(name)).unwrap().weights;
    assert_eq!(weights("m.safetensors"), weights("whole.safetensors"));

    // Where nothing can be written at all, nothing is trained either.
    let (code, says) = limited(&bench, "train spec.json --data nowhere --output n.safetensors", 0);
    assert!(code == Some(1) && says.contains("cannot write n.safetensors"), "{says}");
    bench.fails("train spec.json --data data --output no/m.safetensors", &["cannot write no/m.safetensors"]);
    std::fs::create_dir(bench.path("d.safetensors")).unwrap();
    bench.fails("train spec.json --data data --output d.safetensors", &["cannot write d.safetensors"]);

    // The state is written first, so the network is not lost where it alone cannot be.
    std::fs::remove_file(bench.path("m.safetensors")).unwrap();
    std::os::unix::fs::symlink("/dev/full", bench.path("m.safetensors")).unwrap();
    if bench.path("m.safetensors").exists() {
        bench.fails(&more.replace("epochs 2", "epochs 3 --json"), &["cannot write m.safetensors"]);
        std::fs::remove_file(bench.path("m.safetensors")).unwrap();
        bench.text(&more.replace("epochs 2", "epochs 3"));
        bench.text("train spec.json --data data --epochs 3 --output whole.safetensors");
        assert_eq!(weights("m.safetensors"), weights("whole.safetensors"));
    }
}

#[test]
fn photos_without_labels_teach_rotations() {
    let bench = Bench::new();
    pictures(&bench, 6);
    let spec = SPEC
        .replace("\"units\": 2", "\"units\": 4")
        .replace("\"epochs\": 2", "\"epochs\": 1, \"task\": \"rotations\"");
    bench.write("spec.json", spec.as_bytes());
    let all = bench.json("train spec.json --data data --output m.safetensors");
    assert_eq!((all["train"].as_u64(), all["test"].as_u64()), (Some(22), Some(2)));
    std::fs::create_dir(bench.path("empty")).unwrap();
    bench.fails("train spec.json --data empty --output m.safetensors", &["holds no photo"]);
}
