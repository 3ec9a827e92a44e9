//! Whole small networks, and one network for every refusal.

use super::blobs::tests::{blob, layer};
use super::*;
use crate::format::mutate;
use crate::spec::Values;
use crate::window::Window;

const INPUT: &str = "input: 'data' input_shape { dim: 1 dim: 2 dim: 4 dim: 4 }\n";
const CONV: &str = "layer { name: 'c' type: 'Convolution' bottom: 'data' top: 'c'
    convolution_param { num_output: 1 kernel_size: 3 pad: 1 stride: 2 weight_filler { type: 'xavier' } } }\n";

fn conv_blobs() -> Vec<u8> {
    layer("c", &[blob(&[1, 2, 3, 3], &[0.5; 18]), blob(&[1, 1, 1, 1], &[0.25])])
}

fn import(prototxt: &str, caffemodel: &[u8]) -> Result<(Model, Report)> {
    let mut report = Report::default();
    super::import(caffemodel, prototxt, &mut report).map(|m| (m, report))
}

/// `c` and one more layer with the given body.
fn with(body: &str) -> Result<(Model, Report)> {
    import(&format!("{INPUT}{CONV}layer {{ name: 'x' bottom: 'c' top: 'x' {body} }}"), &conv_blobs())
}

fn last(body: &str) -> Kind {
    with(body).unwrap().0.spec.layers.pop().unwrap().kind
}

#[test]
fn layers_that_work_in_place_get_a_value_of_their_own() {
    let text = format!(
        "name: 'n' {INPUT}{CONV}
        layer {{ name: 'r' type: 'ReLU' bottom: 'c' top: 'c' }}
        layer {{ name: 's' type: 'Split' bottom: 'c' top: 'c1' top: 'c2' }}
        layer {{ name: 'p' type: 'Pooling' bottom: 'c1' top: 'p' pooling_param {{ kernel_size: 1 }} }}
        layer {{ name: 'j' type: 'Concat' bottom: 'p' bottom: 'c2' top: 'j' }}"
    );
    let (model, report) = import(&text, &conv_blobs()).unwrap();
    let layers: Vec<_> = model.spec.layers.iter().map(|l| (l.name.as_str(), l.inputs.join(","))).collect();
    let expected = [("c", ""), ("r", ""), ("p", ""), ("j", "p,r")].map(|(a, b)| (a, b.to_string()));
    assert_eq!(layers, expected);
    assert_eq!(model.spec.name, "n");
    assert_eq!(model.spec.input.shape, crate::tensor::Shape::new(2, 4, 4));
    assert_eq!(model.weights["c.bias"].shape, [1], "legacy bias shapes become vectors");
    assert!(report.skipped[0].text.contains("`s` (Split)"));
}

#[test]
fn windows_in_both_spellings() {
    let text = CONV.replace(
        "kernel_size: 3 pad: 1 stride: 2",
        "kernel_h: 3 kernel_w: 3 pad: 1 pad: 0 stride_h: 1 stride_w: 2 dilation: 2 group: 1",
    );
    let (model, _) = import(&format!("{INPUT}{text}"), &conv_blobs()).unwrap();
    let Kind::Conv { window, .. } = model.spec.layers[0].kind else { panic!("a convolution") };
    let expected = Window { kernel: [3, 3], stride: [1, 2], pad: [1, 0, 1, 0], dilation: [2, 2] };
    assert_eq!(window, expected);
}

#[test]
fn every_kind_of_layer_without_weights() {
    let window = Window::square(3, 2, 1);
    let pool = |rest: &str| {
        last(&format!("type: 'Pooling' pooling_param {{ kernel_size: 3 stride: 2 pad: 1 {rest} }}"))
    };
    assert_eq!(pool(""), Kind::MaxPool { window, ceil: true, maps: 1 });
    assert_eq!(pool("pool: AVE"), Kind::AvgPool { window, ceil: true, include_pad: true });
    assert_eq!(pool("pool: MAX round_mode: FLOOR"), Kind::MaxPool { window, ceil: false, maps: 1 });
    assert!(with("type: 'Eltwise' eltwise_param { operation: MAX }").is_err());
    assert_eq!(last("type: 'Pooling' pooling_param { pool: AVE global_pooling: true }"), Kind::GlobalAvg);
    assert_eq!(
        last("type: 'LRN' lrn_param { local_size: 3 alpha: 1e-4 k: 2 }"),
        Kind::Lrn { size: 3, alpha: 1e-4, beta: 0.75, k: 2.0 }
    );
    assert_eq!(
        last("type: 'Eltwise' bottom: 'data' eltwise_param { operation: SUM coeff: 1 coeff: 1 }"),
        Kind::Sum
    );
    assert_eq!(last("type: 'Dropout' dropout_param { dropout_ratio: 0.5 }"), Kind::Dropout);
    assert_eq!(last("type: 'Softmax'"), Kind::Softmax);
}

#[test]
fn dense_layers_straight_and_transposed_after_a_flatten() {
    let dense = |rest: &str| {
        format!(
            "{INPUT}{CONV}layer {{ name: 'f' type: 'Flatten' bottom: 'c' top: 'f' }}
            layer {{ name: 'd' type: 'InnerProduct' bottom: 'f' top: 'd' inner_product_param {{ num_output: 2 bias_term: false {rest} }} }}"
        )
    };
    let blobs = |shape: &[u64]| {
        [conv_blobs(), layer("d", &[blob(shape, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])])].concat()
    };
    let (model, _) = import(&dense(""), &blobs(&[1, 1, 2, 4])).unwrap();
    assert_eq!(model.weights["d.weight"].shape, [2, 4]);
    let (model, _) = import(&dense("transpose: true"), &blobs(&[4, 2])).unwrap();
    assert_eq!(model.weights["d.weight"].values, Values::F32(vec![1.0, 3.0, 5.0, 7.0, 2.0, 4.0, 6.0, 8.0]));
}

#[test]
fn batch_norm_takes_its_scale_in() {
    let text = |top: &str| {
        format!(
            "{INPUT}{CONV}layer {{ name: 'n' type: 'BatchNorm' bottom: 'c' top: 'c' batch_norm_param {{ eps: 0.5 }} }}
            layer {{ name: 's' type: 'Scale' bottom: 'c' top: '{top}' scale_param {{ bias_term: true }} }}
            layer {{ name: 'e' type: 'Eltwise' bottom: 'c' bottom: '{top}' top: 'e' }}"
        )
    };
    let one = |v: f32| blob(&[1], &[v]);
    let blobs =
        [conv_blobs(), layer("n", &[one(6.0), one(8.0), one(2.0)]), layer("s", &[one(5.0), one(7.0)])]
            .concat();
    let (model, report) = import(&text("c"), &blobs).unwrap();
    assert_eq!(model.spec.layers[1].kind, Kind::BatchNorm { eps: 0.5 });
    for (name, value) in [("n.mean", 3.0), ("n.var", 4.0), ("n.weight", 5.0), ("n.bias", 7.0)] {
        assert_eq!(model.weights[name].to_f32(), [value], "{name}");
    }
    assert_eq!(report.folded[0].text, "layer `s` (Scale) into `n` (BatchNorm)");
    assert_eq!(model.spec.layers[2].inputs, ["n", "n"]);
    // Somebody else reads the unscaled value: two layers.
    let (model, report) = import(&text("s"), &blobs).unwrap();
    assert!(report.folded.is_empty());
    assert_eq!(model.spec.layers[3].inputs, ["n", "s"]);
    assert_eq!(model.weights["s.var"].to_f32(), [1.0]);
}

#[test]
fn four_ways_to_give_the_input() {
    let crop = "layer { name: 'd' type: 'Data' top: 'data' top: 'label' include { phase: TEST }
        transform_param { crop_size: 4 mean_value: 10 mean_value: 20 scale: 0.5 mean_file: 'm' } }
        layer { name: 'd' type: 'Data' top: 'data' top: 'label' include { phase: TRAIN } }";
    for head in [
        INPUT,
        "input: 'data' input_dim: 1 input_dim: 2 input_dim: 4 input_dim: 4",
        "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }",
        crop,
    ] {
        let tail = "layer { name: 'a' type: 'Accuracy' bottom: 'c' bottom: 'label' top: 'a' }
            layer { name: 'l' type: 'SoftmaxWithLoss' bottom: 'c' bottom: 'label' top: 'l' }";
        let (model, report) = import(&format!("{head}\n{CONV}{tail}"), &conv_blobs()).unwrap();
        assert_eq!(model.spec.input.shape, crate::tensor::Shape::new(2, 4, 4), "{head}");
        assert_eq!(model.spec.layers[1].kind, Kind::Softmax);
        if head == crop {
            assert_eq!((model.spec.input.mean, model.spec.input.std), (vec![10.0, 20.0], vec![2.0, 2.0]));
            assert!(report.notes[0].text.contains("mean_file"));
            assert!(report.skipped[0].text.contains("only for training"));
        }
    }
}

#[test]
fn the_format_of_2014() {
    let text = format!(
        "{INPUT}layers {{ name: 'c' type: CONVOLUTION bottom: 'data' top: 'c'
            convolution_param {{ num_output: 1 kernel_size: 3 }} blobs_lr: 1 }}
        layers {{ name: 'r' type: RELU bottom: 'c' top: 'c' }}"
    );
    let (model, _) = import(&text, &conv_blobs()).unwrap();
    assert_eq!(model.spec.layers[1].kind, Kind::Relu);
}

#[test]
fn each_refusal_names_layer_and_type() {
    for (body, what) in [
        ("type: 'Softplus'", "this type"),
        ("type: 'LRN' lrn_param { norm_region: WITHIN_CHANNEL }", "within"),
        ("type: 'Concat' concat_param { axis: 2 }", "axis"),
        ("type: 'Eltwise' eltwise_param { coeff: 1 coeff: -1 }", "weighted"),
        ("type: 'Pooling' pooling_param { pool: STOCHASTIC kernel_size: 2 }", "STOCHASTIC"),
        ("type: 'Pooling' pooling_param { kernel_size: 2 shape: 3 }", "`shape`"),
        ("type: 'Softmax' softmax_param { axis: 2 }", "axis"),
        ("type: 'BatchNorm' batch_norm_param { use_global_stats: false }", "batch"),
        ("type: 'Scale' bottom: 'data'", "by another"),
    ] {
        let e = with(body).unwrap_err();
        assert!(
            matches!(&e, Error::Unsupported(m) if m.contains(what) && m.contains("layer `x` (")),
            "{body}: {e}"
        );
    }
}

#[test]
fn each_fault_has_its_error() {
    let says = |result: Result<(Model, Report)>, kind: &str, what: &str| {
        let e = result.unwrap_err();
        assert_eq!(e.kind(), kind, "{e}");
        assert!(e.message().contains(what), "{e}");
    };
    let conv = format!("{INPUT}{CONV}");
    says(import(&conv, &[]), "Malformed", "no weights");
    says(import(&conv, &layer("other", &[blob(&[1], &[0.0])])), "Malformed", "layer `c`");
    says(import(CONV, &conv_blobs()), "Malformed", "input's size");
    says(import(INPUT, &conv_blobs()), "Malformed", "no layers");
    says(import(&format!("input: 'b' {conv}"), &conv_blobs()), "Unsupported", "2 inputs");
    says(import(&conv.replace("dim: 4 dim: 4", "dim: 4"), &conv_blobs()), "Unsupported", "shape [1, 2, 4]");
    says(import(&conv.replace("bottom: 'data'", "bottom: 'z'"), &conv_blobs()), "Malformed", "reads `z`");
    says(import(&conv.replace("bottom: 'data'", ""), &conv_blobs()), "Malformed", "reads 0");
    says(import(&conv.replace("top: 'c'", ""), &conv_blobs()), "Malformed", "no output");
    says(import(&conv.replace("num_output: 1", ""), &conv_blobs()), "Malformed", "num_output");
    says(import(&conv.replace("kernel_size: 3", ""), &conv_blobs()), "Malformed", "kernel_size");
    says(
        import(&conv.replace("stride: 2", "stride: 1 stride: 1 stride: 1"), &conv_blobs()),
        "Malformed",
        "stride",
    );
    says(import(&format!("{conv}{CONV}"), &conv_blobs()), "Malformed", "2 are needed");
    says(import(&format!("{INPUT}layers {{ layer {{ name: 'c' }} }}"), &conv_blobs()), "Unsupported", "2013");
    says(import(&format!("{INPUT}layer {{ name: 'c' }}"), &conv_blobs()), "Malformed", "no type");
    says(with("type: 'InnerProduct' inner_product_param { num_output: 2 }"), "Malformed", "0 blobs");
    let flat = format!(
        "{conv}layer {{ name: 'f' type: 'Flatten' bottom: 'c' top: 'f' }}
        layer {{ name: 'j' type: 'Concat' bottom: 'f' top: 'j' }}"
    );
    says(import(&flat, &conv_blobs()), "Unsupported", "flattened");
    let twice = format!("{conv}layer {{ name: 'c' type: 'ReLU' bottom: 'c' top: 'c' }}");
    says(import(&twice, &conv_blobs()), "Malformed", "taken");
}

#[test]
fn the_format_of_2013() {
    let text = "name: 'n' input: 'data' input_dim: 1 input_dim: 2 input_dim: 4 input_dim: 4
        layers { layer { name: 'p' type: 'padding' pad: 1 } bottom: 'data' top: 'p' }
        layers { layer { name: 'c' type: 'conv' num_output: 1 kernelsize: 3 stride: 2 blobs_lr: 1. weight_decay: 0.
          weight_filler { type: 'gaussian' } } bottom: 'p' top: 'c' }
        layers { layer { name: 'r' type: 'relu' } bottom: 'c' top: 'c' }
        layers { layer { name: 'd' type: 'dropout' dropout_ratio: 0.5 } bottom: 'c' top: 'c' }
        layers { layer { name: 'm' type: 'pool' pool: AVE kernelsize: 2 stride: 2 } bottom: 'c' top: 'm' }";
    let (model, _) = import(text, &conv_blobs()).unwrap();
    let kinds: Vec<&str> = model.spec.layers.iter().map(|l| l.kind.name()).collect();
    assert_eq!(kinds, ["pad", "conv", "relu", "dropout", "avg_pool"]);
    crate::net::Net::new(model).unwrap();
    let e = import(&text.replace("'relu'", "'power'"), &conv_blobs()).unwrap_err();
    assert!(matches!(&e, Error::Unsupported(m) if m.contains("`r`") && m.contains("power")), "{e}");
}

#[test]
fn kinds_that_the_paper_never_met() {
    assert_eq!(last("type: 'ReLU' relu_param { negative_slope: 0.1 }"), Kind::Leaky { alpha: 0.1 });
    assert_eq!(last("type: 'Sigmoid'"), Kind::Sigmoid);
    assert_eq!(last("type: 'TanH'"), Kind::Tanh);
    assert_eq!(last("type: 'Pooling' pooling_param { pool: MAX global_pooling: true }"), Kind::GlobalMax);
    assert_eq!(last("type: 'Eltwise' eltwise_param { operation: PROD }"), Kind::Product);
}

#[test]
fn no_mutation_panics() {
    let text = format!("{INPUT}{CONV}layer {{ name: 'r' type: 'ReLU' bottom: 'c' top: 'c' }}");
    mutate::each(&conv_blobs(), |bytes| import(&text, bytes).map(drop));
    mutate::each(text.as_bytes(), |bytes| match std::str::from_utf8(bytes) {
        Ok(text) => import(text, &conv_blobs()).map(drop),
        Err(_) => Ok(()),
    });
}
