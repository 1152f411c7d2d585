#!/usr/bin/env bash
# Repeat the study: study.sh MICROBEADS OUT [SHARD]
# MICROBEADS holds images/, masks/ and fits.txt, the names of the images whose masks fit. SHARD, such as 1/2, runs only
# a part of the runs; run the command without it at the end. The same command resumes a stopped study.
set -euo pipefail
data=$(realpath "$1") out=$2 shard=${3:+--shard $3}
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
mkdir -p "$out/runs"
cd "$out"
cp "$here/study.toml" beadctl.toml

for size in 256 512; do
    [[ -d fits-$size-tiles ]] || beadctl tile "$data/images" "$data/masks" -o "fits-$size-tiles" --size "$size" \
        --only "$data/fits.txt"
    [[ -d found-$size-tiles ]] || beadctl tile "$data/images" "$data/masks" -o "found-$size-tiles" --size "$size"
done

# Equal numbers of pixels: 39 images with the labels as found in 12 epochs, 23 with fitting labels in 20.
for set in "fits 512 20" "found 512 12" "fits 256 20" "found 256 12"; do
    read -r labels size epochs <<<"$set"
    # shellcheck disable=SC2086
    beadctl compare-losses --losses all --seeds 3 --tiles "$labels-$size-tiles" --size "$size" --epochs "$epochs" \
        --gradient-audit --no-pictures -o "runs/$labels-$size" $shard
done
# shellcheck disable=SC2086
BEADCTL_LOSS__RAMP_EPOCHS=10 beadctl compare-losses --losses combined --weighting fixed,ramp,uncertainty,balance \
    --seeds 3 --tiles fits-512-tiles --size 512 --epochs 20 --no-pictures -o runs/weighting-512 $shard
[[ $shard ]] || python "$here/claims.py" runs "$PWD/claims.md"
