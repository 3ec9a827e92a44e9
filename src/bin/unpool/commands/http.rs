//! As much of HTTP/1.1 as a browser on the same machine needs, over std: one thread a connection,
//! because browsers hold idle connections open and small servers with fixed pools starve behind them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Request line and headers together.
const MAX_HEAD: u64 = 32 << 10;
/// Far above what browsers open; keeps a flood from taking all threads.
const MAX_CONNECTIONS: usize = 256;
/// How long a connection may say nothing.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Request {
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// A header's value by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    fn has_body(&self) -> bool {
        self.header("transfer-encoding").is_some() || self.header("content-length").is_some_and(|n| n != "0")
    }
}

pub struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Body,
}

enum Body {
    None,
    Text(String),
    File(File, u64),
}

impl Response {
    pub fn empty(status: u16) -> Response {
        Response { status, headers: vec![], body: Body::None }
    }

    pub fn text(status: u16, text: &str) -> Response {
        let body = Body::Text(format!("{text}\n"));
        Response { status, headers: vec![], body }.with("Content-Type", "text/plain; charset=utf-8")
    }

    pub fn file(file: File, length: u64) -> Response {
        Response { status: 200, headers: vec![], body: Body::File(file, length) }
    }

    /// The same with one more header; control characters, which would end it, are left out.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into().chars().filter(|c| !c.is_control()).collect()));
        self
    }

    fn write(self, to: &mut TcpStream, head_only: bool, close: bool) -> io::Result<()> {
        let reason = match self.status {
            200 => "OK",
            301 => "Moved Permanently",
            304 => "Not Modified",
            400 => "Bad Request",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "",
        };
        let mut head = format!("HTTP/1.1 {} {reason}\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match &self.body {
            // 304 has no body and no length; everything else says its length.
            Body::None => {}
            Body::Text(t) => head += &format!("Content-Length: {}\r\n", t.len()),
            Body::File(_, n) => head += &format!("Content-Length: {n}\r\n"),
        }
        head += if close { "Connection: close\r\n\r\n" } else { "\r\n" };
        to.write_all(head.as_bytes())?;
        match self.body {
            Body::Text(t) if !head_only => to.write_all(t.as_bytes()),
            Body::File(f, n) if !head_only => {
                // A file that shrank meanwhile breaks the promise of its length: drop the connection.
                if io::copy(&mut f.take(n), to)? == n {
                    Ok(())
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                }
            }
            _ => Ok(()),
        }
    }
}

/// Answers every connection until listening itself fails, and returns that failure.
pub fn listen(
    listener: &TcpListener,
    answer: impl Fn(&Request) -> Response + Send + Sync + 'static,
) -> io::Error {
    let (answer, open) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    let mut failures = 0;
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // A client that left before it was accepted, or too many open files for a moment.
            Err(e) if failures > 100 => return e,
            Err(_) => {
                failures += 1;
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
        };
        failures = 0;
        if open.fetch_add(1, Ordering::SeqCst) >= MAX_CONNECTIONS {
            open.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        let (answer, open) = (answer.clone(), open.clone());
        std::thread::spawn(move || {
            // A browser that has gone away is no failure of ours.
            let _ = serve(stream, &*answer);
            open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Request) -> Response) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let request = match read(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                Response::text(400, "not a request").write(&mut stream, false, true)?;
                return drain(&mut reader);
            }
            Err(e) => return Err(e),
        };
        // Nothing here takes a body, and one that is not read would pass for the next request.
        let close = request.has_body()
            || request.header("connection").is_some_and(|c| c.eq_ignore_ascii_case("close"));
        answer(&request).write(&mut stream, request.method == "HEAD", close)?;
        if close {
            return drain(&mut reader);
        }
    }
}

/// Closing with bytes unread resets the connection and may swallow the answer.
fn drain(reader: &mut BufReader<TcpStream>) -> io::Result<()> {
    let stream = reader.get_ref();
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    io::copy(&mut reader.take(1 << 20), &mut io::sink()).map(|_| ())
}

/// One request's head; `None` where the client has closed. `InvalidData` for what is no request.
fn read(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut head = reader.take(MAX_HEAD);
    let mut line = || -> io::Result<Option<String>> {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let text = line.strip_suffix('\n').ok_or_else(invalid)?;
        Ok(Some(text.strip_suffix('\r').unwrap_or(text).to_owned()))
    };
    let Some(first) = line()? else { return Ok(None) };
    let [method, target, version] = first.split(' ').collect::<Vec<_>>()[..] else { return Err(invalid()) };
    if !version.starts_with("HTTP/1.") {
        return Err(invalid());
    }
    let mut headers = Vec::new();
    loop {
        let header = line()?.ok_or_else(invalid)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').ok_or_else(invalid)?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok(Some(Request { method: method.to_owned(), target: target.to_owned(), headers }))
}
