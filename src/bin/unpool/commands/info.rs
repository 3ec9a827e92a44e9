//! `unpool info MODEL`.

use super::args::ModelArgs;
use super::{Outcome, model, output};
use unpool::net::Info;
use unpool::spec::Order;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let info = model::load(&args.model)?.info();
    if json {
        output::json(&info)?
    } else {
        output::text_line(&text(&info))?
    }
    Ok(())
}

fn text(info: &Info) -> String {
    let mut out = format!("{} ({})\n", info.title, info.name);
    let known = [("licence", &info.licence), ("origin", &info.origin), ("notes", &info.notes)];
    for (what, value) in known.into_iter().filter(|(_, v)| !v.is_empty()) {
        out += &format!("{what}: {value}\n");
    }
    let list = |v: &[f32]| v.iter().map(f32::to_string).collect::<Vec<_>>().join(", ");
    let order = match info.input.order {
        Order::Rgb => "RGB",
        Order::Bgr => "BGR",
    };
    out += &format!("input: {}, {order}", info.input.shape);
    for (what, values) in [("mean", &info.input.mean), ("std", &info.input.std)] {
        if !values.is_empty() {
            out += &format!(", {what} {}", list(values));
        }
    }
    let parameters: usize = info.layers.iter().map(|l| l.parameters).sum();
    out += &match info.classes.len() {
        0 => "\nclasses: none named\n".to_owned(),
        n => format!("\nclasses: {n}, {} … {}\n", info.classes[0], info.classes[n - 1]),
    };
    out += &format!("parameters: {parameters} ({:.1} MB in memory)\n\n", info.bytes as f64 / 1e6);
    if info.broken > 0 {
        out.truncate(out.len() - 1);
        out += &format!("look out: {} parameters are NaN or infinite\n\n", info.broken);
    }
    let rows: Vec<Vec<String>> = info
        .layers
        .iter()
        .map(|l| {
            let pair = |[a, b]: [usize; 2]| if a == b { a.to_string() } else { format!("{a}×{b}") };
            let parameters = if l.parameters == 0 { String::new() } else { l.parameters.to_string() };
            let (name, kind) = (l.name.clone(), l.kind.to_owned());
            vec![name, kind, l.shape.to_string(), pair(l.receptive_field), pair(l.stride), parameters]
        })
        .collect();
    out += &output::table(&["layer", "kind", "shape", "sees", "stride", "parameters"], &[2, 3, 4, 5], &rows);
    out
}
