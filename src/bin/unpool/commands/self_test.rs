//! An imported network against the test data that its file came with.

use super::input::read_file;
use super::model::MAX_FILE;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use unpool::format::Report;
use unpool::format::onnx::test_data::{self, Data};
use unpool::net::Net;
use unpool::tensor::Tensor;
use unpool::{Error, Result};

/// The folders given, else those beside the file that are called as the ONNX project calls them.
pub fn folders(file: &Path, given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if let Some(folder) = given.iter().find(|f| !f.join("output_0.pb").is_file()) {
        return Err(Error::Parameter(format!(
            "{} holds no output_0.pb; give the folder of a test data set",
            folder.display()
        )));
    }
    if !given.is_empty() || file.extension().is_none_or(|e| !e.eq_ignore_ascii_case("onnx")) {
        return Ok(given.to_vec());
    }
    let beside = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = std::fs::read_dir(beside) else { return Ok(Vec::new()) };
    let named =
        |p: &PathBuf| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("test_data_set_"));
    let whole = |p: &PathBuf| p.join("input_0.pb").is_file() && p.join("output_0.pb").is_file();
    let mut found: Vec<PathBuf> =
        entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| named(p) && whole(p)).collect();
    found.sort();
    Ok(found)
}

/// Runs the network on a set's input and says in the report what came of it.
pub fn run(net: &Arc<Net>, folder: &Path, report: &mut Report) {
    let name =
        folder.file_name().map_or_else(|| folder.display().to_string(), |n| n.to_string_lossy().into_owned());
    match outputs(net, folder, &report.output) {
        Ok((got, wanted)) => {
            test_data::compare(&name, &got, &wanted.values, report);
        }
        Err(e) => test_data::passed_over(&name, e.message(), report),
    }
}

/// What comes out, and what should.
fn outputs(net: &Arc<Net>, folder: &Path, layer: &str) -> Result<(Vec<f32>, Data)> {
    if folder.join("input_1.pb").exists() {
        return Err(Error::Unsupported("it has a second input; networks here have one".into()));
    }
    let read = |name: &str| {
        let path = folder.join(name);
        test_data::read(&read_file(&path, MAX_FILE)?, MAX_FILE as usize).map_err(|e| e.at(name))
    };
    let (input, wanted) = (read("input_0.pb")?, read("output_0.pb")?);
    let (n, shape) = input.pictures()?;
    let node = if layer.is_empty() { net.output() } else { net.find(layer)? };
    let mut got = Vec::with_capacity(wanted.values.len());
    for picture in input.values.chunks_exact(input.values.len() / n) {
        let trace = net.forward(Tensor::new(shape, picture.to_vec())?)?;
        got.extend_from_slice(trace.activation(node).data());
    }
    Ok((got, wanted))
}
