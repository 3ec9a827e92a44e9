//! The command line: arguments in, the library's own calls, files and text out.

#[cfg(not(target_arch = "wasm32"))]
mod commands;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> std::process::ExitCode {
    commands::main()
}

/// Tests for WebAssembly build every binary of the crate; this one has nothing to do there.
#[cfg(target_arch = "wasm32")]
fn main() {}
