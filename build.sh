#!/usr/bin/env bash
# Everything a person types. What each step needs it sets up itself, and it says what it does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

usage() {
  cat <<'TEXT'
./build.sh [PORT] [--open]   set up what is missing, build, serve the page on http://localhost:8080
./build.sh test              run every test
./build.sh dist              build only: dist/ works on any static host, under any sub-path
./build.sh models [NETWORK]  fetch the pinned network archives, convert them into models/, build their galleries
                             (of SqueezeNet and AlexNet; of VGG16 if it is named)
./build.sh data [NAME]       fetch data sets to train on into cache/data: mnist, fashion-mnist, cifar10 (default: all)
./build.sh runs [NAME]       train the networks of www/training anew, with their checkpoints, into www/trained
./build.sh bench             measure the engine, natively and in Chromium
./build.sh clean             remove everything built (models/ and the tools in cache/ stay)
TEXT
}

# --- small helpers -------------------------------------------------------------------------------

say() { printf '\033[1m== %s\033[0m\n' "$*"; }
fail() { printf 'error: %s\n' "$1" >&2; shift; for line in "$@"; do printf '       %s\n' "$line" >&2; done; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
is_root_on_debian() { [ "$(id -u)" = 0 ] && have apt-get; }

# Fingerprint of files (names and contents); a stamp keeps the one that was built last.
fingerprint() {
  if have sha256sum; then cat -- "$@" | sha256sum; else cat -- "$@" | shasum -a 256; fi | cut -d' ' -f1
}
stamp=cache/stamps
is_fresh() { [ -f "$stamp/$1" ] && [ "$(cat "$stamp/$1")" = "$2" ]; }
mark_fresh() { mkdir -p "$stamp"; printf '%s\n' "$2" >"$stamp/$1"; }

# packages WHAT DEBIAN-PACKAGES BREW-PACKAGES DNF-PACKAGES: apt-get does it for root, everybody else is told.
apt_updated=
packages() {
  if is_root_on_debian; then
    say "Installing $1 (apt-get install $2)"
    mkdir -p cache
    # shellcheck disable=SC2086 # a list of packages
    if { [ -n "$apt_updated" ] || apt-get update; } >cache/apt.log 2>&1 &&
      DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $2 >>cache/apt.log 2>&1; then
      apt_updated=yes
      return
    fi
    tail -n 5 cache/apt.log >&2
    fail "apt-get could not install $1" "try: apt-get install $2"
  fi
  fail "$1 is missing" "Debian, Ubuntu: sudo apt-get install $2" "macOS:          brew install $3" "Fedora:         sudo dnf install $4"
}

# --- set-up --------------------------------------------------------------------------------------

# One flavour of Rust serves everything: rustup's where it can bring the library source and the wasm
# target, else Debian's own packages. The standard library of the page is rebuilt from source.
setup_rust() {
  PATH="$PWD/cache/bin:$PATH:$HOME/.cargo/bin"
  export PATH
  have cc || packages "a C compiler" build-essential "gcc (or xcode-select --install)" gcc
  # rust-toolchain.toml names the version that was tested; where it cannot be had, another is better than none.
  local other
  if have rustup && ! rustc -V >/dev/null && other=$(rustup default | cut -d' ' -f1); then
    export RUSTUP_TOOLCHAIN=$other
    say "The Rust of rust-toolchain.toml cannot be fetched: going on with $RUSTUP_TOOLCHAIN"
  fi
  if have rustup && rustup_has_sources; then
    : # all there
  elif debian_rust || { is_root_on_debian && debian_offers_rust; }; then
    debian_rust || packages "Debian's Rust with its library source" "rustc-web cargo-web rust-web-src rustfmt-web rust-web-clippy lld-22" "" ""
    PATH="$PWD/cache/bin:/usr/bin:$PATH"
    export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=/usr/bin/wasm-ld-22
  else
    fail "Rust with its library source is missing" "install rustup, then run this again" "macOS: brew install rustup" \
      "Fedora: sudo dnf install rustup, then rustup-init" "elsewhere: https://rustup.rs" \
      "or, on a Debian that has them: sudo apt-get install rustc-web cargo-web rust-web-src rustfmt-web rust-web-clippy lld-22"
  fi
  toolchain=$(rustc -V)
  local minimum
  minimum=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' Cargo.toml)
  [ "$(printf '%s\n' "$minimum" "$(echo "$toolchain" | cut -d' ' -f2)" | sort -V | head -1)" = "$minimum" ] ||
    fail "Rust $minimum or newer is needed, here is $toolchain" "try: rustup update stable"
}

# Debian's own Rust, complete: its library source may come with a version of its own, the linker has a number.
debian_rust() {
  [ -x /usr/bin/rustc ] && [ -x /usr/bin/cargo ] && [ -x /usr/bin/wasm-ld-22 ] &&
    [ -e "$(/usr/bin/rustc --print sysroot)/lib/rustlib/src/rust/library/Cargo.lock" ]
}

# Ubuntu, and a Debian whose lists are old, do not have these packages.
debian_offers_rust() {
  apt-cache show rustc-web lld-22 >/dev/null 2>&1 || { apt-get update >/dev/null 2>&1 && apt-cache show rustc-web lld-22 >/dev/null 2>&1; }
}

rustup_has_sources() {
  local root part
  root=$(rustc --print sysroot)/lib/rustlib
  if [ ! -e "$root/src/rust/library/Cargo.lock" ]; then
    say "Adding Rust's library source (rustup component add rust-src)"
    rustup component add rust-src || return 1
  fi
  if [ ! -d "$root/wasm32-unknown-unknown" ]; then
    say "Adding Rust's wasm target (rustup target add wasm32-unknown-unknown)"
    rustup target add wasm32-unknown-unknown || return 1
  fi
  for part in rustfmt clippy; do
    cargo "${part/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$part" || return 1
  done
}

# cargo_tool COMMAND CRATE VERSION [cargo install arguments]: into cache/bin unless that version is at hand.
cargo_tool() {
  local command=$1 crate=$2 version=$3
  shift 3
  if have "$command" && "$command" --version 2>/dev/null | grep -qF "$version"; then return; fi
  say "Building $crate $version (once, into cache/bin)"
  # They run for seconds: not worth minutes of optimising. One target folder, so that what both need is built once.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
    CARGO_TARGET_DIR=target/tools cargo install "$crate" --version "$version" --root cache --force "$@" ||
    fail "cargo could not install $crate $version" "its last lines above say why; without a network it cannot be fetched"
}

# The command line tool must be of the very version of the library.
setup_wasm_bindgen() {
  local version
  version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p;}' Cargo.lock)
  cargo_tool wasm-bindgen wasm-bindgen-cli "$version"
}

setup_node() {
  have node && have npm || packages "Node.js with npm" "nodejs npm" node nodejs-npm
  [ "$(node -p 'parseInt(process.versions.node)')" -ge 18 ] || fail "Node.js 18 or newer is needed, here is $(node --version)"
  local wanted
  wanted=$(fingerprint tests/package.json tests/package-lock.json)
  if is_fresh npm "$wanted" && [ -x tests/node_modules/.bin/wasm-opt ]; then return; fi
  say "Installing the development tools (npm ci in tests/)"
  (cd tests && npm ci --no-audit --no-fund) ||
    fail "npm could not install the development tools" "its last lines above say why; without a network they cannot be fetched"
  mark_fresh npm "$wanted"
}

setup_python() {
  have python3 || packages "Python 3" "python3 python3-pip python3-venv" python python3-pip
  python3 -m pip --version >/dev/null 2>&1 || packages "pip" "python3-pip" python python3-pip
}

setup_chromium() {
  local candidate
  for candidate in "${CHROMIUM:-}" chromium chromium-browser google-chrome "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"; do
    [ -n "$candidate" ] && have "$candidate" && have chromedriver && CHROMIUM=$(command -v "$candidate") && export CHROMIUM && return
  done
  # Where these are not packages (Ubuntu has them as snaps), Google Chrome and its chromedriver on PATH serve as well.
  packages "Chromium with its driver" "chromium chromium-driver" "chromium chromedriver" "chromium chromedriver"
  setup_chromium
}

# --- building ------------------------------------------------------------------------------------

# use_flavour NAME, in a subshell: the environment of that flavour, and flavour_args for cargo.
use_flavour() {
  # The same flags as in .cargo/config.toml, which says why; and no source positions in panics, which nobody who
  # visits the page could look up (4 KB of download).
  local flags="-Ctarget-feature=+simd128 -Cllvm-args=-disable-lsr -Zlocation-detail=none" arg
  # Nothing of the standard library is hot here, and small sorting and formatting save 10 KB of download.
  flavour_args="-Zbuild-std=panic_abort,std -Zbuild-std-features=optimize_for_size"
  case $1 in threads | *-threads | relaxed)
    flags="$flags -Ctarget-feature=+atomics,+bulk-memory,+mutable-globals"
    # Atomics alone no longer make the memory shared: it is asked for, with the largest size a page may grow to.
    for arg in shared-memory import-memory max-memory=1073741824 \
      export=__wasm_init_tls export=__tls_size export=__tls_align export=__tls_base; do
      flags="$flags -Clink-arg=--$arg"
    done
    flavour_args="--features threads $flavour_args"
    ;;
  esac
  # Products and sums in one instruction, where the browser has it: 2 to 14 % faster.
  if [ "$1" = relaxed ]; then flags="$flags -Ctarget-feature=+relaxed-simd"; fi
  # Sparse coding and filters' diagnosis: the same kernels, and none of the engine's views.
  if [ "${1%%-*}" = lab ]; then flavour_args="--features lab $flavour_args"; fi
  # The importers are a package of their own, built for size: nobody waits for their arithmetic.
  if [ "$1" = import ]; then
    flavour_args="--features import $flavour_args"
    export CARGO_PROFILE_RELEASE_OPT_LEVEL=s
  fi
  # These are nightly options; this lets a pinned stable compiler take them.
  export RUSTC_BOOTSTRAP=1
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags CARGO_TARGET_DIR="target/$1"
}

build_wasm() {
  local flavour=$1 wasm="target/$1/wasm32-unknown-unknown/release/unpool.wasm" out="target/pkg/wasm/$1" wanted
  say "Compiling to WebAssembly: $flavour"
  # shellcheck disable=SC2086 # a list of arguments
  (use_flavour "$flavour" && cargo build --release --locked --lib --target wasm32-unknown-unknown $flavour_args)
  wanted=$(fingerprint "$wasm" tests/package-lock.json build.sh)
  if is_fresh "wasm-$flavour" "$wanted" && [ -d "$out" ]; then return; fi
  rm -rf "$out"
  wasm-bindgen --target web --out-name unpool --out-dir "$out" "$wasm"
  # wasm-bindgen-rayon still calls in a form of which every thread then warns in the console.
  find "$out" -name 'workerHelpers*.js' -exec perl -pi -e \
    's/pkg\.default\(data\.module, data\.memory\)/pkg.default({ module_or_path: data.module, memory: data.memory })/' {} +
  tests/node_modules/.bin/wasm-opt -O3 --strip-debug --strip-producers --enable-simd --enable-threads \
    --enable-bulk-memory --enable-bulk-memory-opt --enable-mutable-globals --enable-nontrapping-float-to-int --enable-sign-ext \
    --enable-reference-types --enable-multivalue --enable-relaxed-simd "$out/unpool_bg.wasm" -o "$out/unpool_bg.wasm"
  mark_fresh "wasm-$flavour" "$wanted"
}

# compile NAME...: the command line (native), flavours of WebAssembly, or their lints (lint-FLAVOUR). Whole-program optimisation keeps one processor busy, so
# there are as many at once as processors, each with two gigabytes or more; what one prints is shown when it fails.
compile() {
  local free jobs
  jobs=$(getconf _NPROCESSORS_ONLN)
  free=$(awk '/^MemAvailable:/ { print int($2 / 2097152) }' /proc/meminfo 2>/dev/null || echo 4)
  [ "$jobs" -le "${free:-4}" ] || jobs=${free:-4}
  printf '%s\n' "$@" | UNPOOL_COMPILE=yes xargs -n 1 -P "$((jobs > 0 ? jobs : 1))" ./build.sh ||
    fail "the build stopped" "the lines above say where"
}

# In a process of its own; not behind || or if, where bash would go on after an error.
compile_one() {
  local log="target/build-$1.log"
  mkdir -p target
  echo "   $1 …"
  exec 3>&1 4>&2 >"$log" 2>&1
  # shellcheck disable=SC2064 # the name of now
  trap "[ \$? = 0 ] || cat '$log' >&4" EXIT
  case $1 in
    native) build_native ;;
    lint-*) lint_wasm "${1#lint-}" ;;
    *) build_wasm "$1" ;;
  esac
  sed -n "s/^ *\(Finished.*\)/   $1: \1/p" "$log" >&3
}

lint_wasm() {
  use_flavour "$1"
  # shellcheck disable=SC2086 # a list of arguments
  cargo clippy --locked --release --lib --target wasm32-unknown-unknown $flavour_args -- -D warnings
}

build_native() {
  say "Compiling the command line"
  cargo build --release --locked --bin unpool
}

build_models() {
  setup_python
  python3 tests/tools/models.py "$@"
}

build_dist() {
  setup_rust
  setup_node
  setup_wasm_bindgen
  say "Compiling the command line and six packages of WebAssembly"
  compile native lab-threads lab-single threads relaxed single import
  build_models
  say "Assembling dist/"
  rm -rf dist
  mkdir -p dist/wasm
  cp -R www/. dist/
  cp index.html dist/
  local licence
  for licence in LICENSE-*; do cp "$licence" "dist/$licence.txt"; done
  # There, what the page is made of lies one folder higher.
  sed 's|(www/|(|g; s|`www/|`|g' THIRD-PARTY.md >dist/THIRD-PARTY.md
  # Scripts and styles as written, each its own file, less comments and white space (a quarter of the download) and, in
  # scripts, in the shorter of two ways to say the same.
  local minify="tests/node_modules/.bin/esbuild --minify-whitespace --target=esnext --outbase=www --outdir=dist --allow-overwrite"
  find www -name '*.css' -print0 | xargs -0 $minify --log-level=warning
  find www -name '*.js' ! -name isolation-sw.js -print0 | xargs -0 $minify --minify-syntax --log-level=warning
  cp -R target/pkg/wasm/. dist/wasm/
  cp -R models dist/models
  # Data sets that were fetched are there for the page to train on, and a list of them in any case.
  local set sets=
  mkdir -p dist/data
  for set in mnist fashion-mnist; do
    if [ -f "cache/data/$set/classes.txt" ]; then
      mkdir -p "dist/data/$set"
      cp "cache/data/$set/classes.txt" "cache/data/$set/"*.gz "dist/data/$set/"
      sets="$sets,\"$set\""
    fi
  done
  printf '[%s]\n' "${sets#,}" >dist/data/index.json
  node tests/tools/offline.mjs
  node tests/tools/budget.mjs
}

# --- commands ------------------------------------------------------------------------------------

serve() {
  local port=8080 browser=
  for arg in "$@"; do
    case $arg in
      --open) browser=yes ;;
      *[!0-9]* | '') usage >&2; exit 2 ;;
      *) port=$arg ;;
    esac
  done
  build_dist
  say "Serving http://localhost:$port (Ctrl-C stops)"
  if [ -n "$browser" ]; then
    (sleep 1; if have open; then open "http://localhost:$port"; else xdg-open "http://localhost:$port"; fi) &
  fi
  exec target/release/unpool serve --port "$port"
}

# One of compile's, in a process of its own.
if [ -n "${UNPOOL_COMPILE:-}" ]; then
  unset UNPOOL_COMPILE
  compile_one "$1"
  exit
fi

case ${1:-} in
  test) build_dist; setup_chromium; . tests/tools/test.sh ;;
  dist) build_dist ;;
  models) setup_rust; build_native; build_models "${@:2}" ;;
  data) setup_node; setup_python; python3 tests/tools/data.py "${@:2}" ;;
  runs) setup_rust; setup_node; setup_python; build_native; python3 tests/tools/runs.py "${@:2}" ;;
  bench) build_dist; setup_chromium; node tests/bench/run.mjs ;;
  clean) say "Removing target/, dist/ and cache/stamps/"; rm -rf target dist "$stamp" ;;
  help | -h | --help) usage ;;
  *) serve "$@" ;;
esac
