#!/usr/bin/env bash
# Make the model in the package: make.sh OUT. It ends with OUT/bead.onnx and its figures on scenes that were used
# neither in training nor in calibration. After a stop, the same command resumes.
set -euo pipefail
out=$1
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
mkdir -p "$out"

train() { # CONFIG RUN [FLAG...]: start the run, or resume it; a finished one is kept
    local config=$1 run=$2
    shift 2
    [[ ! -f $run.finished ]] || return 0
    [[ ! -f $run/last.pt ]] || set -- "$@" --resume
    beadctl train --config "$config" -o "$run" "$@"
    touch "$run.finished"
}
train "$here/beadctl.toml" "$out/run"
train "$here/second.toml" "$out/second" --from "$out/run"
[[ -f $out/trained.onnx ]] || beadctl export "$out/second" --config "$here/second.toml" --blend "$out/run" \
    -o "$out/trained.onnx"

# Thresholds by F1 and count error, on scenes of a size of their own.
[[ -d $out/calibration ]] || beadctl simulate "$out/calibration" --count 120 --size 400 --seed 4242
beadctl eval "$out/calibration/images" "$out/calibration/masks" --model "$out/trained.onnx" \
    --calibrate "$out/bead.onnx" --overwrite -q >"$out/calibration.json"

[[ -d $out/held-out ]] || beadctl simulate "$out/held-out" --count 60 --size 384 --seed 99
beadctl eval "$out/held-out/images" "$out/held-out/masks" --model "$out/bead.onnx" -q
