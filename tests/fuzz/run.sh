#!/usr/bin/env bash
# Fuzzes every parser for so many seconds each (default 60), from the fixtures of the ordinary tests as seeds:
# tests/fuzz/run.sh [SECONDS] [TARGET…]. Needs cargo-fuzz (cargo install cargo-fuzz); a stable compiler will do.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
export RUSTC_BOOTSTRAP=1
seconds=${1:-60}
shift || true
data=../data
for target in ${*:-onnx test_data caffemodel prototxt pickle torch torch7 zip npy safetensors gallery dictionary idx}; do
  seeds=../../target/fuzz-seeds/$target
  mkdir -p "$seeds"
  case $target in
    onnx) cp "$data"/onnx/*.onnx "$seeds" ;;
    pickle) cp "$data"/pickle/* "$seeds" ;;
    torch) cp "$data"/torch/* "$seeds" ;;
    zip) cp "$data"/torch/new.pt "$data"/compressed.npz "$seeds" ;;
    torch7) cp "$data"/torch7/*.t7 "$seeds" ;;
    npy | idx | test_data | dictionary) python3 seeds.py "$target" "$seeds" ;;
    # Of one photo, small enough for -max_len.
    gallery) photo=$(mktemp -d) && cp ../../www/samples/cat.* "$photo" &&
      ../../target/release/unpool gallery build ../../models/squeezenet.safetensors "$photo" --layers conv1 --output "$seeds/seed.safetensors" >/dev/null ;;
    safetensors) cp "$data"/average.safetensors "$data"/residual.safetensors "$seeds" ;;
  esac
  echo "== $target"
  # Nothing here is unsafe but the kernels, which do not run: the sanitizer would only be slow.
  cargo fuzz run --fuzz-dir . --target-dir ../../target/fuzz --sanitizer none "$target" "$seeds" -- -max_total_time="$seconds" -rss_limit_mb=2048 \
    -timeout=10 -max_len=20000 -print_final_stats=1 2>&1 | grep -E "stat::number|SUMMARY|panicked|ERROR|artifact" || true
done
