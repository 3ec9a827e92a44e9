//! The static server: headers, types, caching, and nothing but the folder.

use crate::common::Bench;
use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(bench: &Bench, options: &str) -> Server {
        std::fs::create_dir_all(bench.path("dist/sub")).unwrap();
        bench.write("dist/index.html", b"<!doctype html>");
        bench.write("dist/sub/index.html", b"below");
        bench.write("dist/unpool.wasm", &vec![7; 100_000]);
        bench.write("dist/unpool.js", b"export {}");
        bench.write("secret", b"secret");
        let mut command = bench.command(&format!("serve --port 0 --json {options}"));
        let child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut server = Server { child, port: 0 };
        let mut said = vec![];
        for byte in BufReader::new(server.child.stdout.take().unwrap()).bytes() {
            said.push(byte.unwrap());
            if said.last() == Some(&b'}') {
                break;
            }
        }
        let said: serde_json::Value = serde_json::from_slice(&said).unwrap();
        server.port = said["port"].as_u64().unwrap() as u16;
        assert_eq!(said["url"], format!("http://localhost:{}/", server.port));
        server
    }

    /// Status line and headers in lower case, and the body.
    fn ask(&self, request: &str, headers: &str) -> (String, Vec<u8>) {
        let mut s = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        s.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(s, "{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n").unwrap();
        let mut answer = vec![];
        s.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end + 4..].to_vec())
    }
}

fn has(head: &str, line: &str) {
    assert!(head.lines().any(|l| l == line), "{line:?} is not in\n{head}");
}

#[test]
fn files_come_with_types_and_isolation() {
    let bench = Bench::new();
    let server = Server::start(&bench, "");
    let (head, body) = server.ask("GET /", "");
    assert_eq!((&head[..12], body.as_slice()), ("http/1.1 200", &b"<!doctype html>"[..]));
    has(&head, "content-type: text/html; charset=utf-8");
    has(&head, "cross-origin-opener-policy: same-origin");
    has(&head, "cross-origin-embedder-policy: require-corp");
    has(&head, "cross-origin-resource-policy: cross-origin");
    has(&head, "cache-control: no-cache");
    let (head, body) = server.ask("GET /unpool.wasm?v=1", "");
    assert_eq!(body, vec![7; 100_000]);
    has(&head, "content-type: application/wasm");
    has(&head, "content-length: 100000");
    let etag = head.lines().find(|l| l.starts_with("etag: ")).unwrap()[6..].to_owned();
    let (head, body) = server.ask("GET /unpool.wasm", &format!("If-None-Match: {etag}\r\n"));
    assert!(head.starts_with("http/1.1 304") && body.is_empty());
    has(&head, "cross-origin-embedder-policy: require-corp");
    let (head, body) = server.ask("HEAD /unpool.js", "");
    assert!(head.starts_with("http/1.1 200") && body.is_empty());
    has(&head, "content-type: text/javascript; charset=utf-8");
    has(&server.ask("GET /sub", "").0, "location: sub/");
    assert_eq!(server.ask("GET /sub/", "").1, b"below");
}

#[test]
fn nothing_outside_the_folder_and_nothing_but_reading() {
    let bench = Bench::new();
    let server = Server::start(&bench, "--no-isolation");
    for path in ["/../secret", "/%2e%2e/secret", "/sub/../../secret", "//etc/passwd", "/none", "/sub/none"] {
        let (head, body) = server.ask(&format!("GET {path}"), "");
        assert!(head.starts_with("http/1.1 40") && !body.ends_with(b"secret"), "{path}: {head}");
    }
    let (head, _) = server.ask("POST /", "Content-Length: 0\r\n");
    assert!(head.starts_with("http/1.1 405"), "{head}");
    let (head, _) = server.ask("GET /", "");
    assert!(head.starts_with("http/1.1 200") && !head.contains("cross-origin"), "{head}");
}

#[test]
fn a_connection_serves_one_request_after_another() {
    let bench = Bench::new();
    let server = Server::start(&bench, "");
    let mut s = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    s.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // Pipelined, with a body nobody asked for in between: it must not be read as a request.
    let posted = "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nGET /none";
    write!(s, "GET /sub/ HTTP/1.1\r\n\r\nHEAD / HTTP/1.1\r\n\r\nGET /unpool.js HTTP/1.1\r\n\r\n{posted}")
        .unwrap();
    let mut answers = String::new();
    s.read_to_string(&mut answers).unwrap();
    let codes: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|a| &a[..3]).collect();
    assert_eq!(codes, ["200", "200", "200", "405"], "{answers}");
    assert!(answers.contains("\r\n\r\nbelowHTTP") && answers.contains("export {}"), "{answers}");
    for bad in ["nonsense\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"] {
        let mut s = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        s.write_all(bad.as_bytes()).unwrap();
        let mut answer = String::new();
        s.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{bad:?}: {answer}");
    }
}

#[test]
fn several_connections_are_served_at_once() {
    let bench = Bench::new();
    let server = Server::start(&bench, "");
    // Six that say nothing, as a browser keeps them open, and one that asks.
    let idle: Vec<_> = (0..6).map(|_| TcpStream::connect(("127.0.0.1", server.port)).unwrap()).collect();
    assert!(server.ask("GET /", "").0.starts_with("http/1.1 200"));
    drop(idle);
}

#[test]
fn a_port_in_use_and_a_missing_folder_are_said() {
    let bench = Bench::new();
    bench.fails("serve", &["dist holds no index.html", "./build.sh dist"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    std::fs::create_dir_all(bench.path("dist")).unwrap();
    bench.write("dist/index.html", b"x");
    bench.fails(&format!("serve --port {port}"), &[&format!("port {port} is in use"), "--port"]);
}
