//! The command line, run as a person or a script runs it: happy paths, and every bad input.

#![cfg(not(target_arch = "wasm32"))]

mod commands;
mod common;
mod filters;
mod gallery;
mod models;
mod occlude;
mod photos;
mod serve;
mod sparse;
mod train;
