//! How a layer is written in a file: one flat object. Read field by field, because the derived
//! reader of flattened tagged enums is the largest function of the WebAssembly package (26 kB).

use super::{Kind, LayerSpec, PadMode};
use crate::tensor::Shape;
use crate::window::Window;
use serde::Deserialize;

/// Every field that any kind of layer has.
#[derive(Deserialize)]
pub(super) struct Form {
    name: String,
    #[serde(default)]
    inputs: Vec<String>,
    kind: String,
    filters: Option<usize>,
    groups: Option<usize>,
    connections: Option<Vec<Vec<usize>>>,
    kernel: Option<[usize; 2]>,
    stride: Option<[usize; 2]>,
    pad: Option<[usize; 4]>,
    dilation: Option<[usize; 2]>,
    #[serde(default)]
    ceil: bool,
    maps: Option<usize>,
    #[serde(default)]
    include_pad: bool,
    size: Option<usize>,
    alpha: Option<f32>,
    beta: Option<f32>,
    k: Option<f32>,
    eps: Option<f32>,
    units: Option<usize>,
    min: Option<f32>,
    max: Option<f32>,
    output_pad: Option<[usize; 2]>,
    #[serde(default)]
    mode: PadMode,
    #[serde(default)]
    value: f32,
    shape: Option<Shape>,
    order: Option<[usize; 3]>,
}

impl TryFrom<Form> for LayerSpec {
    type Error = String;

    fn try_from(form: Form) -> Result<LayerSpec, String> {
        let kind = form.kind()?;
        Ok(LayerSpec { name: form.name, inputs: form.inputs, kind })
    }
}

impl Form {
    fn kind(&self) -> Result<Kind, String> {
        let groups = self.groups.unwrap_or(1);
        let ceil = self.ceil;
        Ok(match self.kind.as_str() {
            "conv" => Kind::Conv {
                filters: self.need(self.filters, "filters")?,
                window: self.window()?,
                groups,
                connections: self.connections.clone(),
            },
            "relu" => Kind::Relu,
            "max_pool" => Kind::MaxPool { window: self.window()?, ceil, maps: self.maps.unwrap_or(1) },
            "avg_pool" => Kind::AvgPool { window: self.window()?, ceil, include_pad: self.include_pad },
            "stochastic_pool" => Kind::StochasticPool { window: self.window()?, ceil },
            "subsample" => Kind::Subsample { window: self.window()? },
            "lrn" => Kind::Lrn {
                size: self.need(self.size, "size")?,
                alpha: self.need(self.alpha, "alpha")?,
                beta: self.need(self.beta, "beta")?,
                k: self.need(self.k, "k")?,
            },
            "batch_norm" => Kind::BatchNorm { eps: self.need(self.eps, "eps")? },
            "concat" => Kind::Concat,
            "sum" => Kind::Sum,
            "dense" => Kind::Dense { units: self.need(self.units, "units")? },
            "dropout" => Kind::Dropout,
            "global_avg" => Kind::GlobalAvg,
            "softmax" => Kind::Softmax,
            "log_softmax" => Kind::LogSoftmax,
            "leaky" => Kind::Leaky { alpha: self.need(self.alpha, "alpha")? },
            "prelu" => Kind::Prelu,
            "clip" => Kind::Clip { min: self.min, max: self.max },
            "sigmoid" => Kind::Sigmoid,
            "tanh" => Kind::Tanh,
            "conv_transpose" => Kind::ConvTranspose {
                filters: self.need(self.filters, "filters")?,
                window: self.window()?,
                groups,
                output_pad: self.output_pad.unwrap_or_default(),
            },
            "pad" => Kind::Pad { pad: self.need(self.pad, "pad")?, mode: self.mode, value: self.value },
            "global_max" => Kind::GlobalMax,
            "scale" => Kind::Scale,
            "product" => Kind::Product,
            "reshape" => Kind::Reshape { shape: self.need(self.shape, "shape")? },
            "transpose" => Kind::Transpose { order: self.need(self.order, "order")? },
            other => return Err(format!("layer `{}` is of kind `{other}`, which is not known", self.name)),
        })
    }

    fn window(&self) -> Result<Window, String> {
        Ok(Window {
            kernel: self.need(self.kernel, "kernel")?,
            stride: self.stride.unwrap_or([1, 1]),
            pad: self.pad.unwrap_or_default(),
            dilation: self.dilation.unwrap_or([1, 1]),
        })
    }

    fn need<T>(&self, value: Option<T>, field: &str) -> Result<T, String> {
        value.ok_or_else(|| format!("layer `{}` of kind {} has no `{field}`", self.name, self.kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_as_it_was_written() {
        let window = Window { kernel: [3, 5], stride: [2, 1], pad: [1, 0, 1, 2], dilation: [1, 2] };
        let kinds = [
            Kind::Conv { filters: 4, window, groups: 2, connections: None },
            Kind::Conv { filters: 2, window, groups: 1, connections: Some(vec![vec![0], vec![1, 2]]) },
            Kind::Relu,
            Kind::MaxPool { window, ceil: true, maps: 2 },
            Kind::AvgPool { window, ceil: true, include_pad: true },
            Kind::StochasticPool { window, ceil: true },
            Kind::Subsample { window },
            Kind::Lrn { size: 5, alpha: 1e-4, beta: 0.75, k: 2.0 },
            Kind::BatchNorm { eps: 1e-5 },
            Kind::Concat,
            Kind::Sum,
            Kind::Dense { units: 7 },
            Kind::Dropout,
            Kind::GlobalAvg,
            Kind::Softmax,
            Kind::LogSoftmax,
            Kind::Leaky { alpha: 0.1 },
            Kind::Prelu,
            Kind::Clip { min: Some(0.0), max: None },
            Kind::Sigmoid,
            Kind::Tanh,
            Kind::ConvTranspose { filters: 4, window, groups: 2, output_pad: [1, 0] },
            Kind::Pad { pad: [1, 2, 3, 4], mode: PadMode::Reflect, value: 0.5 },
            Kind::GlobalMax,
            Kind::Scale,
            Kind::Product,
            Kind::Reshape { shape: Shape::new(2, 3, 4) },
            Kind::Transpose { order: [2, 0, 1] },
        ];
        for kind in kinds {
            let layer = LayerSpec { name: "x".into(), inputs: vec!["data".into()], kind };
            let text = serde_json::to_string(&layer).unwrap();
            assert_eq!(serde_json::from_str::<LayerSpec>(&text).unwrap(), layer, "{text}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let says = |text: &str| serde_json::from_str::<LayerSpec>(text).unwrap_err().to_string();
        assert!(says(r#"{"name": "a", "kind": "attention"}"#).contains("`attention`"));
        assert!(says(r#"{"name": "a", "kind": "conv", "filters": 2}"#).contains("`kernel`"));
        assert!(says(r#"{"name": "a", "kind": "dense"}"#).contains("`units`"));
        assert!(says(r#"{"kind": "relu"}"#).contains("name"));
    }
}
