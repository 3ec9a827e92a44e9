# shellcheck shell=bash disable=SC2086 # sourced by build.sh; flavour_args is a list of arguments
# Every test, cheapest first; the first failure ends the run.

bin=tests/node_modules/.bin
cargo_tool wasm-pack wasm-pack 0.15.1 --locked

say "Format and lints"
cargo fmt --check
$bin/biome check --error-on-warnings .
node tests/tools/third-party.mjs --check
cargo clippy --locked --all-targets -- -D warnings
compile lint-single lint-threads lint-relaxed lint-import lint-lab-single lint-lab-threads

say "Types of the scripts (tsc --checkJs --strict)"
for project in tests/tsconfig.json tests/tsconfig.worker.json tests/tsconfig.node.json; do $bin/tsc -p "$project"; done

say "Engine and command line"
cargo test --locked

# The development profile: whole-program optimisation of every test binary would take minutes and test nothing more.
# Node runs the tests as CommonJS, which cannot load the threads' helper, an ES module: those run in Chromium only.
# Half of their building would be what only a debugger reads.
export CARGO_PROFILE_DEV_DEBUG=0
say "WebAssembly in Node, single"
(use_flavour single && wasm-pack test --node --mode no-install -- --locked --test node $flavour_args)
for flavour in single threads; do
  say "WebAssembly in Chromium, $flavour"
  (use_flavour $flavour && wasm-pack test --headless --chrome --mode no-install --chromedriver "$(command -v chromedriver)" \
    -- --locked --test web $flavour_args)
done

say "The page in Chromium"
# Each file has a browser of its own. One that fails is run once more, and that is said: a machine under load may let a
# browser miss a deadline, a defect fails twice.
failed=()
for file in tests/e2e/*.test.mjs; do node --test "$file" || failed+=("$file"); done
for file in ${failed[@]+"${failed[@]}"}; do
  say "Once more: $file"
  node --test "$file" || fail "$file failed twice" "the lines above that begin with 'not ok' say where"
done
if [ ${#failed[@]} -gt 0 ]; then say "Passed at the second try only: ${failed[*]}"; fi
