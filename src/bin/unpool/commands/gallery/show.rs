//! `unpool gallery show G --layer L --map M`: the entries, as text, JSON or a contact sheet.

use super::super::args::ModelArgs;
use super::super::{Failure, Outcome, model, output};
use super::{read, sheet};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use unpool::explain::gallery::{Entry, Gallery, Map, is_dead, nodes};
use unpool::format::gallery::Layer;
use unpool::{Error, Result, image};

#[derive(clap::Args)]
pub struct Args {
    /// A gallery
    gallery: PathBuf,
    /// Whose maps [default: say what the gallery holds]
    #[arg(long, value_name = "NAME")]
    layer: Option<String>,
    /// Which maps [default: all of the layer]
    #[arg(long, value_name = "M,…", value_delimiter = ',', requires = "layer")]
    map: Vec<usize>,
    /// Where to draw patches and projections side by side, computed anew from the photos
    #[arg(long, short, value_name = "SHEET.png", value_parser = png, requires = "layer")]
    output: Option<PathBuf>,
    /// For the picture: the folders that were searched [default: the current one, then the gallery's]
    #[arg(long, value_name = "DIR", requires = "output")]
    photos: Vec<PathBuf>,
    /// For the picture: the network [default: the one named in the gallery]
    #[arg(long, value_name = "MODEL", requires = "output")]
    model: Option<String>,
    /// For the picture: side of a patch in pixels
    #[arg(long, value_name = "PX", default_value_t = 64, value_parser = clap::value_parser!(u16).range(8..=512))]
    side: u16,
    /// For the picture: maps in a row
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=64))]
    columns: u16,
}

fn png(s: &str) -> std::result::Result<PathBuf, String> {
    let path = PathBuf::from(s);
    let fits = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"));
    if fits { Ok(path) } else { Err("expected a file name ending in .png".into()) }
}

pub fn main(args: &Args, json: bool) -> Outcome {
    let gallery = read(&args.gallery)?;
    let Some(name) = &args.layer else { return Ok(summary(&gallery, json)?) };
    let layer = gallery.layers.iter().find(|l| l.name == *name).ok_or_else(|| {
        let names: Vec<&str> = gallery.layers.iter().map(|l| l.name.as_str()).collect();
        Error::Parameter(format!("the gallery has no layer “{name}”; it has {}", names.join(", ")))
    })?;
    let maps: Vec<usize> =
        if args.map.is_empty() { (0..layer.maps.len()).collect() } else { args.map.clone() };
    if let Some(m) = maps.iter().find(|&&m| m >= layer.maps.len()) {
        return Err(Failure::Failed(Error::Parameter(format!(
            "{name} has maps 0 to {}, there is no map {m}",
            layer.maps.len() - 1
        ))));
    }
    let stale = match &args.output {
        Some(path) => Some(draw(args, &gallery, layer, &maps, path)?),
        None => None,
    };
    if json {
        let mut all: Vec<Value> = maps.iter().map(|&m| document(&gallery, layer, m)).collect();
        if let Some(path) = &args.output {
            let output = path.display().to_string();
            all.iter_mut().for_each(|v| v["output"] = json!(output));
        }
        let one = all.len() == 1 && !args.map.is_empty();
        output::json(&if one { all.remove(0) } else { Value::Array(all) })?;
    } else {
        for &m in &maps {
            output::text_line(&text(&gallery, layer, m))?;
        }
    }
    match stale {
        // Drawn all the same: but who looks at it must know.
        Some(n) if n > 0 => {
            eprintln!(
                "warning: {n} entries differ from what is recomputed: another version of the model or photos"
            );
            Ok(())
        }
        _ => Ok(()),
    }
}

fn draw(args: &Args, gallery: &Gallery, layer: &Layer, maps: &[usize], path: &Path) -> Result<usize> {
    let name = args.model.clone().unwrap_or_else(|| gallery.header.model.clone());
    let net = model::load(&ModelArgs { model: name, prototxt: None })?;
    nodes(gallery, &net)?;
    let beside = args.gallery.parent().map(Path::to_owned).unwrap_or_default();
    let folders = if args.photos.is_empty() { vec![PathBuf::new(), beside] } else { args.photos.clone() };
    let look = sheet::Look { side: usize::from(args.side), columns: usize::from(args.columns) };
    let (picture, stale) = sheet::draw(gallery, &net, layer, maps, &folders, &look)?;
    output::file(path, &image::encode_png(&picture)?)?;
    Ok(stale)
}

fn document(gallery: &Gallery, layer: &Layer, m: usize) -> Value {
    let map = &layer.maps[m];
    let entry = |e: &Entry| {
        json!({
            "image": gallery.photos[e.photo as usize].name, "at": e.at, "value": e.value,
            "window": e.window,
        })
    };
    let entries: Vec<Value> = map.entries.iter().map(entry).collect();
    json!({"layer": layer.name, "map": m, "dead": is_dead(map), "searched": gallery.header.searched, "entries": entries})
}

fn text(gallery: &Gallery, layer: &Layer, m: usize) -> String {
    let map = &layer.maps[m];
    let head =
        format!("{} map {m}{}", layer.name, if is_dead(map) { ": dead, no input excites it" } else { "" });
    let rows: Vec<Vec<String>> = map.entries.iter().map(|e| row(gallery, e)).collect();
    let table = output::table(&["value", "row", "column", "window", "image"], &[0, 1, 2, 3], &rows);
    format!("{head}\n{table}\n")
}

fn row(gallery: &Gallery, e: &Entry) -> Vec<String> {
    let image = gallery.photos[e.photo as usize].name.clone();
    vec![format!("{:.4}", e.value), e.at[0].to_string(), e.at[1].to_string(), e.window.to_string(), image]
}

fn summary(gallery: &Gallery, json: bool) -> Result<()> {
    let h = &gallery.header;
    let dead =
        |l: &Layer| l.maps.iter().enumerate().filter(|(_, m)| is_dead(m)).map(|(i, _)| i).collect::<Vec<_>>();
    if json {
        let layers: Vec<Value> = gallery
            .layers
            .iter()
            .map(|l| json!({"layer": l.name, "maps": l.maps.len(), "dead": dead(l)}))
            .collect();
        return output::json(&json!({
            "model": h.model, "weights": h.weights, "top": h.top, "windows": h.scales, "searched": h.searched,
            "skipped": h.skipped, "unfinished": h.unfinished, "photos": gallery.photos.len(), "layers": layers,
        }));
    }
    output::text_line(&format!(
        "{} ({}), the {} strongest of {} inputs for each map, {} skipped; photos searched in {} scales{}",
        h.model,
        h.weights,
        h.top,
        h.searched,
        h.skipped,
        h.scales,
        h.unfinished.as_ref().map(|u| format!("; unfinished, {u}")).unwrap_or_default()
    ))?;
    let used = |l: &Layer| {
        let mut photos: Vec<u32> = l.maps.iter().flat_map(|m: &Map| &m.entries).map(|e| e.photo).collect();
        photos.sort_unstable();
        photos.dedup();
        photos.len().to_string()
    };
    let rows: Vec<Vec<String>> = gallery
        .layers
        .iter()
        .map(|l| vec![l.name.clone(), l.maps.len().to_string(), dead(l).len().to_string(), used(l)])
        .collect();
    output::text_line(&output::table(&["layer", "maps", "dead", "photos"], &[1, 2, 3], &rows))
}
