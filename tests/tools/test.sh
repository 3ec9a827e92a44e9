# shellcheck shell=bash disable=SC2086 # sourced by build.sh; flavour_args is a list of arguments
# Every test, cheapest first; the first failure ends the run.

bin=tests/node_modules/.bin
cargo_tool wasm-pack wasm-pack 0.15.1 --locked

say "Format and lints"
cargo fmt --check
$bin/biome check --error-on-warnings .
node tests/tools/third-party.mjs --check
cargo clippy --locked --all-targets -- -D warnings
for flavour in single threads import lab-single lab-threads; do
  (use_flavour $flavour && cargo clippy --locked --release --lib --target wasm32-unknown-unknown $flavour_args -- -D warnings)
done

say "Types of the scripts (tsc --checkJs --strict)"
for project in tests/tsconfig.json tests/tsconfig.worker.json tests/tsconfig.node.json; do $bin/tsc -p "$project"; done

say "Engine and command line"
cargo test --locked

# The development profile: whole-program optimisation of every test binary would take minutes and test nothing more.
# Node runs the tests as CommonJS, which cannot load the threads' helper, an ES module: those run in Chromium only.
say "WebAssembly in Node, single"
(use_flavour single && wasm-pack test --node --mode no-install -- --locked --test node $flavour_args)
for flavour in single threads; do
  say "WebAssembly in Chromium, $flavour"
  (use_flavour $flavour && wasm-pack test --headless --chrome --mode no-install --chromedriver "$(command -v chromedriver)" \
    -- --locked --test web $flavour_args)
done

say "The page in Chromium"
node --test --test-concurrency=1 tests/e2e/*.test.mjs
