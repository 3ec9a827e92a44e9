//! Galleries against the float64 reference, and the property that lets them be built in parts.
#![cfg(not(target_arch = "wasm32"))]

mod common;

use common::{Random, spec_and_tensors};
use std::sync::Arc;
use unpool::explain::gallery::{
    Entry, Found, Gallery, Peak, Search, add, cell, cells, empty, is_dead, merge, rank, ranks, see, settle,
    together, window,
};
use unpool::format::gallery::{bin_range, read, write};
use unpool::format::safetensors::File;
use unpool::image::Picture;
use unpool::net::Net;
use unpool::spec::Model;

/// The network and the photos of tests/data/gallery, and its file.
fn reference() -> (Arc<Net>, Vec<Picture>, Vec<u8>) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    let (_, _, tensors) =
        spec_and_tensors(&std::fs::read(format!("{folder}/squeezenet.safetensors")).unwrap());
    let weights = tensors.into_iter().filter(|(k, _)| k.contains('.')).collect();
    let bytes = std::fs::read(format!("{folder}/gallery/reference.safetensors")).unwrap();
    let file = File::parse(&bytes).unwrap();
    let spec = serde_json::from_str(&file.metadata["spec"]).unwrap();
    let net = Arc::new(Net::new(Model { spec, weights }).unwrap());
    let &[_, h, w, 3] = file.tensors["photos"].shape.as_slice() else { panic!("photos are N×H×W×3") };
    let picture = |rgb: &[u8]| {
        let rgba = rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        Picture::new(w, h, rgba).unwrap()
    };
    let photos = file.tensors["photos"].bytes.chunks_exact(h * w * 3).map(picture).collect();
    (net, photos, bytes)
}

fn name(photo: usize) -> String {
    format!("photos/{photo:02}.png")
}

#[test]
fn photos_and_positions_are_those_of_the_reference() {
    let (net, photos, bytes) = reference();
    let file = File::parse(&bytes).unwrap();
    let layers: Vec<String> =
        file.tensors.keys().filter_map(|k| k.strip_suffix("/photo")).map(String::from).collect();
    assert!(layers.len() > 20);
    let search = Search::new(net, &layers, 9, 1).unwrap();
    let mut gallery = empty(&search);
    // In any order.
    for i in (0..photos.len()).rev() {
        add(&mut gallery, &name(i), &search.photo(&photos[i]).unwrap());
    }
    settle(&mut gallery);
    let gallery = read(&write(&gallery)).unwrap();
    for layer in &gallery.layers {
        let numbers = |part: &str| {
            let e = &file.tensors[&format!("{}/{part}", layer.name)];
            e.number.to_f32(e.bytes, false)
        };
        let (photo, at, value) = (numbers("photo"), numbers("at"), numbers("value"));
        let scale = value.iter().fold(0f32, |m, v| m.max(v.abs()));
        for (m, map) in layer.maps.iter().enumerate() {
            assert_eq!(map.entries.len(), 9);
            for (k, e) in map.entries.iter().enumerate() {
                let i = m * 9 + k;
                let what = format!("{} map {m} entry {k}", layer.name);
                assert_eq!(gallery.photos[e.photo as usize].name, name(photo[i] as usize), "{what}");
                assert_eq!(e.at.map(f32::from), [at[2 * i], at[2 * i + 1]], "{what}");
                assert!((e.value - value[i]).abs() <= 1e-4 * scale, "{what}: {} and {}", e.value, value[i]);
            }
        }
    }
}

#[test]
fn entries_are_found_again_and_foreign_ones_are_noticed() {
    let (net, photos, _) = reference();
    let search = Search::new(net.clone(), &["fire4/concat".into()], 3, 2).unwrap();
    let mut gallery = empty(&search);
    photos.iter().enumerate().for_each(|(i, p)| add(&mut gallery, &name(i), &search.photo(p).unwrap()));
    settle(&mut gallery);
    let node = net.find("fire4/concat").unwrap();
    for (m, map) in gallery.layers[0].maps.iter().enumerate().filter(|(_, map)| !is_dead(map)) {
        let e = &map.entries[0];
        let i = gallery.photos[e.photo as usize].name[7..9].parse::<usize>().unwrap();
        let (_, right) = cell(&gallery, &net, node, m, e, &photos[i]).unwrap();
        assert!(!right.is_stale() && right.difference <= 1e-6, "map {m}: {}", right.difference);
        let (_, wrong) = cell(&gallery, &net, node, m, e, &photos[(i + 1) % 20]).unwrap();
        assert!(wrong.is_stale(), "map {m}: {} taken for {}", wrong.value, e.value);
    }
    let small = photos[0].fit(20, 20).unwrap();
    let e = gallery.layers[0].maps[0].entries[0];
    let refused = cell(&gallery, &net, node, 0, &e, &small).map(|_| ()).unwrap_err();
    assert!(refused.kind() == "Parameter" && refused.message().contains("20×20"), "{refused}");
}

#[test]
fn entries_that_share_a_window_share_its_pass_where_that_is_less_work() {
    let (net, photos, _) = reference();
    let entry = |photo, window, at| Entry { photo, window, at, value: 0.0 };
    let low = net.find("relu_conv1").unwrap();
    let groups = |node, entries: &[Entry]| together(&net, node, entries).unwrap();
    // Of a low layer only neighbours, of a high one all of a window.
    let entries = [
        entry(0, 0, [0, 0]),
        entry(1, 0, [0, 0]),
        entry(0, 0, [0, 1]),
        entry(0, 1, [0, 0]),
        entry(0, 0, [12, 12]),
    ];
    assert_eq!(groups(low, &entries), [vec![0, 2], vec![1], vec![3], vec![4]]);
    let high = net.find("fire5/concat").unwrap();
    let entries = [entry(0, 0, [0, 0]), entry(0, 0, [1, 1]), entry(2, 0, [0, 0])];
    assert_eq!(groups(high, &entries), [vec![0, 1], vec![2]]);
    // Together they are what each is alone, to the bit.
    let search = Search::new(net.clone(), &["fire4/concat".into()], 3, 1).unwrap();
    let mut gallery = empty(&search);
    photos.iter().enumerate().for_each(|(i, p)| add(&mut gallery, &name(i), &search.photo(p).unwrap()));
    settle(&mut gallery);
    let node = net.find("fire4/concat").unwrap();
    let all = gallery.layers[0].maps.iter().enumerate().filter(|(_, map)| !is_dead(map));
    let all: Vec<(usize, Entry)> =
        all.flat_map(|(m, map)| map.entries.iter().map(move |e| (m, *e))).collect();
    let of = |photo: usize| -> Vec<(usize, Entry)> {
        all.iter().copied().filter(|(_, e)| e.photo as usize == photo).collect()
    };
    let most = (0..gallery.photos.len()).max_by_key(|p| of(*p).len()).unwrap();
    let first = of(most);
    assert!(first.len() > 1, "{all:?}");
    let photo = &photos[gallery.photos[most].name[7..9].parse::<usize>().unwrap()];
    let place = window(&gallery, &net, first[0].1.photo, first[0].1.window, photo).unwrap();
    let (_, input) = see(&net, place, photo).unwrap();
    for ((m, e), both) in first.iter().zip(cells(&net, node, input, &first).unwrap()) {
        let (_, alone) = cell(&gallery, &net, node, *m, e, photo).unwrap();
        assert!(both.projection == alone.projection && both.value == alone.value, "map {m} {e:?}");
    }
}

/// A search whose maxima are made up, with many ties.
fn made_up(random: &mut Random, n: usize) -> (Search, Vec<(String, Found)>) {
    let (net, _, _) = reference();
    let search = Search::new(net, &["relu_conv1".into(), "fire2/concat".into()], 4, 3).unwrap();
    let mut inputs: Vec<(String, Found)> = Vec::new();
    for i in 0..n {
        let mut found = search.begin([60 + i, 70]);
        for peak in found.peaks.iter_mut().flatten() {
            let value = (random.value() * 5.0).round() / 2.0;
            *peak = Peak { value, at: [(i % 7) as u16, 3], window: (i % 2) as u8 };
        }
        inputs.push((format!("{:02}/{i}.jpg", (i * 7) % n), found));
    }
    (search, inputs)
}

fn gallery(search: &Search, inputs: &[(String, Found)]) -> Gallery {
    let mut gallery = empty(search);
    inputs.iter().for_each(|(name, found)| add(&mut gallery, name, found));
    settle(&mut gallery);
    gallery
}

/// Whatever the split, the order and the grouping: the same bytes.
#[test]
fn merging_is_associative_and_commutative() {
    let mut random = Random(11);
    let (search, inputs) = made_up(&mut random, 40);
    let whole = write(&gallery(&search, &inputs));
    for _ in 0..12 {
        let mut inputs = inputs.clone();
        for i in (1..inputs.len()).rev() {
            inputs.swap(i, random.range(0, i));
        }
        let cut = |random: &mut Random| random.range(0, inputs.len());
        let (mut a, mut b) = (cut(&mut random), cut(&mut random));
        (a, b) = (a.min(b), a.max(b));
        let parts = [&inputs[..a], &inputs[a..b], &inputs[b..]].map(|part| gallery(&search, part));
        let [x, y, z] = parts.clone();
        let left = merge(merge(x, y).unwrap(), z).unwrap();
        let [x, y, z] = parts;
        let right = merge(z, merge(y, x).unwrap()).unwrap();
        assert!(write(&left) == whole && write(&right) == whole, "split at {a} and {b}");
        // What was written and read again merges alike.
        assert!(read(&write(&left)).unwrap() == right);
    }
}

#[test]
fn what_does_not_belong_together_is_not_merged() {
    let mut random = Random(3);
    let (search, inputs) = made_up(&mut random, 6);
    let a = gallery(&search, &inputs[..3]);
    let b = gallery(&search, &inputs[3..]);
    let refused = |change: &dyn Fn(&mut Gallery)| {
        let mut other = b.clone();
        change(&mut other);
        let e = merge(a.clone(), other).unwrap_err();
        assert_eq!(e.kind(), "Parameter", "{e}");
        e.message().to_owned()
    };
    assert!(refused(&|g| g.header.model = "other".into()).contains("model"));
    assert!(refused(&|g| g.header.weights = "crc32:1".into()).contains("weights"));
    assert!(refused(&|g| g.header.top = 5).contains("top 4 in one, 5"));
    assert!(refused(&|g| g.header.scales = 1).contains("scales"));
    assert!(refused(&|g| g.layers.truncate(1)).contains("layers"));
    assert!(refused(&|g| g.header.unfinished = Some("3 of 9 files".into())).contains("unfinished"));
    assert!(refused(&|g| *g = a.clone()).contains("both galleries hold"));
}

#[test]
fn ranks_count_the_stronger_ones() {
    let mut random = Random(5);
    let (search, inputs) = made_up(&mut random, 40);
    let gallery = gallery(&search, &inputs);
    for (m, map) in gallery.layers[0].maps.iter().enumerate() {
        let all: Vec<f32> = inputs.iter().map(|(_, f)| f.peaks[0][m].value).collect();
        for value in [-9.0, -0.2, 0.0, 0.5, 1.0, 1.2, 2.0, 9.0f32] {
            let stronger = all.iter().filter(|v| **v > value).count() as f64;
            let (rank, kept) = (rank(map, value), map.entries[3].value);
            // Exact among the kept; below them within the bin that holds the value.
            let unsure = map.histogram.iter().find(|(bin, _)| {
                let [from, to] = bin_range(*bin);
                from <= value && value <= to
            });
            let slack = if value >= kept { 0.0 } else { unsure.map_or(0.0, |b| f64::from(b.1)) };
            assert!((rank - 1.0 - stronger).abs() <= slack, "map {m}, {value}: {rank} for {stronger}");
        }
    }
    let mine = ranks(&gallery, &inputs[7].1);
    assert!(mine.windows(2).all(|w| w[0].rank <= w[1].rank) && mine.iter().all(|r| r.value > 0.0));
}

#[test]
fn parameters_are_checked() {
    let (net, _, _) = reference();
    let refused = |layers: &[&str], top, scales| {
        let layers: Vec<String> = layers.iter().map(|l| String::from(*l)).collect();
        Search::new(net.clone(), &layers, top, scales).map(|_| ()).unwrap_err().message().to_owned()
    };
    assert!(refused(&["conv11"], 9, 1).contains("no layer"));
    assert!(refused(&["data"], 9, 1).contains("no feature maps"));
    assert!(refused(&[], 0, 1).contains("not 0"));
    assert!(refused(&[], 1001, 1).contains("1001"));
    assert!(refused(&[], 9, 4).contains("1 to 3 scales"));
    // By default what convolutions yield, rectified and joined.
    let names: Vec<&str> = Search::layers(&net).into_iter().map(|n| net.name(n)).collect();
    assert_eq!(names[..3], ["relu_conv1", "fire2/relu_squeeze1x1", "fire2/concat"]);
    assert!(names.contains(&"relu_conv10") && !names.contains(&"fire2/relu_expand1x1"));
}
