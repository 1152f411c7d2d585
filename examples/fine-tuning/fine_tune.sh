#!/usr/bin/env bash
# Compare the default model, the same fine-tuned on some images, and a network trained on them from scratch:
#
#   fine_tune.sh IMAGES TRUTH NAMES TEST_IMAGES TEST_TRUTH SIZE OUT [FLAG...]
#
# NAMES lists the images to learn from, one a line; TRUTH and TEST_TRUTH are folders of masks, or a file of bead
# centres, for which FLAG is --centre-diameter PX. SIZE is the edge of the training tiles, px. The figures of the
# three on the test images go to OUT/scores.csv; the same command resumes after a stop.
set -euo pipefail
images=$1 truth=$2 names=$3 test_images=$4 test_truth=$5 size=$6 out=$7
shift 7
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
config=$here/beadctl.toml
mkdir -p "$out"
[[ -f $out/tiles/manifest.csv ]] ||
    beadctl tile "$images" "$truth" --config "$config" -o "$out/tiles" --size "$size" --only "$names" "$@"

for start in tuned scratch; do
    from=(--from default)
    [[ $start == tuned ]] || from=()
    resume=()
    [[ ! -f $out/$start/last.pt ]] || resume=(--resume)
    [[ -f $out/$start.onnx ]] || beadctl train --config "$config" --tiles "$out/tiles" --size "$size" \
        -o "$out/$start" "${from[@]}" "${resume[@]}"
    [[ -f $out/$start.onnx ]] || beadctl export "$out/$start" --config "$config" -o "$out/$start.onnx"
done

echo "model,f1@0.50,centre_f1,jaccard,count_mape,count_bias" >"$out/scores.csv"
for model in default tuned scratch; do
    file=()
    [[ $model == default ]] || file=(--model "$out/$model.onnx")
    beadctl eval "$test_images" "$test_truth" "${file[@]}" "$@" -q |
        python -c "
import json, sys
figures = json.load(sys.stdin)['figures']
names = ('f1@0.50', 'centre_f1', 'jaccard', 'count_mape', 'count_bias')
print('$model', *(f'{figures[name]:.3f}' for name in names), sep=',')" >>"$out/scores.csv"
done
cat "$out/scores.csv"
