//! `unpool serve [DIR]`: the built page on this machine, with the headers that shared memory needs.

use super::http::{self, Request, Response};
use super::{Outcome, output};
use serde_json::json;
use std::fs::File;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;
use unpool::Error;

#[derive(clap::Args)]
pub struct Args {
    /// The folder to serve
    #[arg(value_name = "DIR", default_value = "dist")]
    folder: PathBuf,
    /// 0 takes any free port
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Address to listen on; others than 127.0.0.1 let the network in
    #[arg(long, default_value = "127.0.0.1")]
    host: std::net::IpAddr,
    /// Leave out the isolation headers, as hosts do that cannot set them
    #[arg(long)]
    no_isolation: bool,
}

pub fn main(args: &Args, json: bool) -> Outcome {
    if !args.folder.join("index.html").is_file() {
        let folder = args.folder.display();
        return Err(Error::Parameter(format!(
            "{folder} holds no index.html; build the page with ./build.sh dist or name another folder"
        ))
        .into());
    }
    let listener = TcpListener::bind((args.host, args.port)).map_err(|e| refused(args.port, &e))?;
    let port = listener.local_addr().map_or(args.port, |a| a.port());
    let host = if args.host.is_loopback() { "localhost".into() } else { args.host.to_string() };
    let url = format!("http://{host}:{port}/");
    if json {
        output::json(&json!({ "url": url, "port": port }))?;
    } else {
        output::text_line(&format!("Serving {} on {url} (Ctrl-C stops)", args.folder.display()))?;
    }
    let (folder, isolated) = (args.folder.clone(), !args.no_isolation);
    let e = http::listen(&listener, move |request| answer(request, &folder, isolated));
    Err(Error::Limit(format!("the server stopped listening ({e}); start it again")).into())
}

fn refused(port: u16, e: &std::io::Error) -> Error {
    Error::Parameter(if e.kind() == ErrorKind::AddrInUse {
        format!("port {port} is in use; stop what runs there or choose another with --port")
    } else {
        format!("cannot listen on port {port}: {e}")
    })
}

fn answer(request: &Request, folder: &Path, isolated: bool) -> Response {
    let mut response = match request.method.as_str() {
        "GET" | "HEAD" => respond(&request.target, request.header("if-none-match"), folder),
        _ => Response::text(405, "only GET and HEAD are answered here").with("Allow", "GET, HEAD"),
    };
    // Nothing is stale: a browser asks each time and mostly hears 304.
    response = response.with("Cache-Control", "no-cache").with("X-Content-Type-Options", "nosniff");
    if isolated {
        response = response
            .with("Cross-Origin-Opener-Policy", "same-origin")
            .with("Cross-Origin-Embedder-Policy", "require-corp")
            .with("Cross-Origin-Resource-Policy", "cross-origin");
    }
    response
}

fn respond(url: &str, known: Option<&str>, folder: &Path) -> Response {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let Some(relative) = local(path) else { return Response::text(400, "not a path inside this folder") };
    let mut file = folder.join(relative);
    if file.is_dir() {
        if !path.ends_with('/') {
            // Relative links in the folder's index need the slash.
            let name = path.rsplit('/').next().unwrap_or_default();
            return Response::text(301, "moved").with("Location", format!("{name}/"));
        }
        file.push("index.html");
    }
    send(&file, known).unwrap_or_else(|_| Response::text(404, "not found"))
}

fn send(path: &Path, known: Option<&str>) -> std::io::Result<Response> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(ErrorKind::NotFound.into());
    }
    let changed = meta.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let etag = format!("\"{:x}-{changed:x}\"", meta.len());
    let same = |t: &str| t == "*" || t.trim_start_matches("W/") == etag;
    let response = if known.is_some_and(|k| k.split(',').map(str::trim).any(same)) {
        Response::empty(304)
    } else {
        Response::file(file, meta.len())
    };
    Ok(response.with("Content-Type", media_type(path)).with("ETag", etag))
}

/// A URL's path as a path below the folder; `None` for anything that could lead out of it.
fn local(url: &str) -> Option<PathBuf> {
    let bytes = url.strip_prefix('/')?.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&b) = bytes.get(at) {
        if b == b'%' {
            let hex = std::str::from_utf8(bytes.get(at + 1..at + 3)?).ok()?;
            decoded.push(u8::from_str_radix(hex, 16).ok()?);
            at += 3;
        } else {
            decoded.push(b);
            at += 1;
        }
    }
    let path = String::from_utf8(decoded).ok()?;
    if path.contains(['\\', '\0', ':']) {
        return None;
    }
    let path = PathBuf::from(path);
    path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)).then_some(path)
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" | "ts" | "csv" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folder() {
        assert_eq!(local("/"), Some(PathBuf::new()));
        assert_eq!(local("/models/a%20b.wasm"), Some(PathBuf::from("models/a b.wasm")));
        for bad in [
            "/../x",
            "/a/../../x",
            "/%2e%2e/x",
            "/..%2fx",
            "//etc/passwd",
            "/%2fetc/passwd",
            "x",
            "/a%00",
            "/a%zz",
            "/a%",
            "/..\\x",
            "/c:/x",
            "/%ff",
        ] {
            assert_eq!(local(bad), None, "{bad}");
        }
    }
}
