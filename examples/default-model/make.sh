#!/usr/bin/env bash
# Make the model in the package: make.sh OUT [REAL] [START]. REAL holds the real images of the model card, a folder with
# images/ and masks/ for each set; without it, simulated scenes alone are used. START is the model file to start from
# (its predecessor for the model in the package); without it, weights are random. It ends with OUT/bead.onnx and its
# figures on scenes that were used neither in training nor in calibration. After a stop, the same command resumes.
set -euo pipefail
out=$(realpath -m "$1") real=${2:-} start=${3:-}
earlier=5cf658f
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
mkdir -p "$out"

tiles() { # NAME VAL_FRACTION: tiles of 384 px of OUT/NAME or REAL/NAME
    local from=$out/$1
    [[ -d $from ]] || from=$real/$1
    [[ -f $out/tiles/$1/manifest.csv ]] || beadctl tile "$from/images" "$from/masks" -o "$out/tiles/$1" --size 384 \
        --val-fraction "$2" --test-fraction 0 -q --overwrite >"$out/$1.csv"
}
folders=()
if [[ -n $real ]]; then
    [[ -d $out/stem_np_half ]] || python "$here/halve.py" "$real/stem_np" "$out/stem_np_half"
    for set in dsb2018=6 emps=1 stem_np=4 stem_np_half=8 yeast_pc=6; do
        tiles "${set%=*}" 0.05
        folders+=("$out/tiles/$set")
    done
fi
# An earlier simulator, from this repository's history: fluorescent beads in clusters of other looks.
if [[ ! -d $out/earlier-beadctl ]]; then
    mkdir -p "$out/earlier-beadctl.part/package"
    git -C "$here/../.." archive "$earlier" beadctl | tar x -C "$out/earlier-beadctl.part"
    (cd "$out/earlier-beadctl.part" && cp -r beadctl/simulate package/earlier_simulate && cd package/earlier_simulate &&
        rm writing.py && sed -i 's/beadctl\.simulate/earlier_simulate/; /writing/d; s/, "write"//' ./*.py)
    mv "$out/earlier-beadctl.part" "$out/earlier-beadctl"
fi

run=$out/run
if [[ ! -f $run.finished ]] && python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then
    # Scenes are rendered while the network learns.
    rm -rf "$run"
    flags=(--earlier "$out/earlier-beadctl/package")
    [[ -z $start ]] || flags+=(--start "$start")
    [[ -z $real ]] || flags+=(--real "$real"/{dsb2018,emps,stem_np,yeast_pc} "$out/stem_np_half")
    python "$here/train_streamed.py" "$run" 10.8 "${flags[@]}"
    touch "$run.finished"
elif [[ ! -f $run.finished ]]; then
    # Scenes are rendered before, and used several times.
    for seed in $(seq 3201 3216); do
        [[ -f $out/scenes-$seed/manifest.csv ]] || beadctl simulate "$out/scenes-$seed" --count 500 --size 384 --seed $seed -q \
            --overwrite
        tiles scenes-$seed 0.006
        folders+=("$out/tiles/scenes-$seed")
    done
    for seed in $(seq 5201 5216); do
        [[ -f $out/earlier-$seed/manifest.csv ]] || (cd "$out/earlier-beadctl" &&
            python -m beadctl simulate "$out/earlier-$seed" --count 500 --size 384 --seed "$seed" -q --overwrite)
    done
    rm -rf "$out/earlier" && for seed in $(seq 5201 5216); do
        python "$here/earlier_scenes.py" "$out/earlier-$seed" "$out/earlier"
    done
    tiles earlier 0.012
    folders+=("$out/tiles/earlier")
    [[ -f $out/training/manifest.csv ]] || python "$here/merge_tiles.py" "$out/training" "${folders[@]}"
    flags=(--config "$here/beadctl.toml" --tiles "$out/training" -o "$run")
    [[ -z $start ]] || flags+=(--from "$start")
    [[ ! -f $run/last.pt ]] || flags+=(--resume)
    beadctl train "${flags[@]}"
    touch "$run.finished"
fi
[[ -f $out/trained.onnx ]] || beadctl export "$run" --config "$here/beadctl.toml" -o "$out/trained.onnx"

# Thresholds by F1 and count error, on scenes of a size of their own; those of a predecessor are kept.
if [[ -n $start ]]; then
    python "$here/keep.py" "$out/trained.onnx" "$start" "$out/calibrated.onnx"
else
    [[ -d $out/calibration ]] || beadctl simulate "$out/calibration" --count 70 --size 400 --seed 4243
    beadctl eval "$out/calibration/images" "$out/calibration/masks" --model "$out/trained.onnx" \
        --calibrate "$out/calibrated.onnx" --overwrite -q >"$out/calibration.json"
fi

# Which neighbouring basins are one bead, by other scenes and a part of the real images.
if [[ ! -d $out/joins ]]; then
    beadctl simulate "$out/joins" --count 450 --size 400 --seed 7001
    for seed in 6301 6302; do
        (cd "$out/earlier-beadctl" && python -m beadctl simulate "$out/clusters-$seed" --count 300 --size 320 --seed "$seed" -q)
        python "$here/earlier_scenes.py" "$out/clusters-$seed" "$out/joins-earlier"
    done
    for set in ${real:+dsb2018=4 emps=2 stem_np=1 yeast_pc=1}; do
        mkdir -p "$out/joins-${set%=*}"/{images,masks}
        for name in $(cd "$real/${set%=*}/images" && printf '%s\n' * | awk -v n="${set#*=}" 'NR % n == 1 || n == 1'); do
            cp "$real/${set%=*}/images/$name" "$out/joins-${set%=*}/images"
            cp "$real/${set%=*}/masks/${name%.*}".* "$out/joins-${set%=*}/masks"
        done
    done
fi
joins=("$out/joins" "$out/joins-earlier=2")
[[ -z $real ]] || joins+=("$out/joins-dsb2018=2" "$out"/joins-{emps,stem_np,yeast_pc})
python "$here/join.py" "$out/calibrated.onnx" "$out/joined.onnx" "${joins[@]}"

# Which objects are beads: the classifier of the predecessor is kept, and the weights are averaged with its own; else
# one is fitted by other scenes and a part of the real tiles.
if [[ -n $start ]]; then
    [[ -f $out/averaged.onnx ]] || beadctl export "$run" --config "$here/beadctl.toml" -o "$out/averaged.onnx" \
        --blend "$start" --blend-share 0.4
    python "$here/keep.py" "$out/averaged.onnx" "$out/joined.onnx" "$out/classified.onnx"
else
    if [[ ! -d $out/objects ]]; then
        beadctl simulate "$out/objects" --count 450 --size 256 --seed 4244
        for set in ${real:+dsb2018=4 emps=5 stem_np=6 stem_np_half=2 yeast_pc=1}; do
            tiles=$out/tiles/${set%=*}
            for name in $(cd "$tiles/images" && printf '%s\n' * | awk -v n="${set#*=}" 'NR % n == 0'); do
                cp "$tiles/images/$name" "$out/objects/images/${set%=*}_$name"
                cp "$tiles/masks/$name" "$out/objects/masks/${set%=*}_$name"
            done
        done
    fi
    python "$here/classify.py" "$out/joined.onnx" "$out/objects"/{images,masks} "$out/classified.onnx"
fi

# Which counts are wrong, by other scenes and the same real images as of the joins.
for seed in 8001 8002; do
    [[ -d $out/reviews-$seed ]] || beadctl simulate "$out/reviews-$seed" --count 700 --size 400 --seed $seed
done
reviews=("$out"/reviews-{8001,8002})
[[ -z $real ]] || reviews+=("$out"/joins-{dsb2018,emps,stem_np,yeast_pc})
python "$here/review.py" "$out/classified.onnx" "$out/reviewed.onnx" "${reviews[@]}"

# Precision and recall by density, for intervals of counts, on fields of suspensions.
[[ -d $out/suspensions ]] || beadctl simulate "$out/suspensions" --suspensions --count 1000 --size 256 --seed 5151
beadctl eval "$out/suspensions/images" "$out/suspensions/masks" --model "$out/reviewed.onnx" \
    --bands "$out/bead.onnx" --overwrite -q >"$out/bands.json"

[[ -d $out/held-out ]] || beadctl simulate "$out/held-out" --count 60 --size 384 --seed 99
beadctl eval "$out/held-out/images" "$out/held-out/masks" --model "$out/bead.onnx" -q
