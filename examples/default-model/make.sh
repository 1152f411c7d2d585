#!/usr/bin/env bash
# Make the model in the package from nothing: make.sh OUT. It ends with OUT/bead.onnx and its figures on scenes that
# neither the training nor the calibration saw. Stopped, the same command goes on where it was.
set -euo pipefail
out=$1
config=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/beadctl.toml
mkdir -p "$out"
resume=()
[[ ! -f $out/run/last.pt ]] || resume=(--resume)
[[ -f $out/trained.onnx ]] || beadctl train --config "$config" -o "$out/run" "${resume[@]}"
[[ -f $out/trained.onnx ]] || beadctl export "$out/run" --config "$config" -o "$out/trained.onnx"

# Thresholds by F1 and count error, on scenes of a size of their own.
[[ -d $out/calibration ]] || beadctl simulate "$out/calibration" --count 120 --size 400 --seed 4242
beadctl eval "$out/calibration/images" "$out/calibration/masks" --model "$out/trained.onnx" \
    --calibrate "$out/bead.onnx" --overwrite -q >"$out/calibration.json"

[[ -d $out/held-out ]] || beadctl simulate "$out/held-out" --count 60 --size 384 --seed 99
beadctl eval "$out/held-out/images" "$out/held-out/masks" --model "$out/bead.onnx" -q
