"""Images and annotations, paired by name."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers import annotating
from helpers.images import discs
from PIL import Image

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.matching import SUFFIXES
from beadctl.annotations.pairing import pair
from beadctl.dataset.manifest import read_manifest
from beadctl.errors import AnnotationError, ImageError, SettingsError


@pytest.fixture
def folders(tmp_path):
    def make(images, masks):
        for folder, names in (("images", images), ("masks", masks)):
            for name in names:
                path = tmp_path / folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.zeros((4, 4), np.uint8)).save(path)
        return tmp_path / "images", tmp_path / "masks"

    return make


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_masks_are_found_by_their_stem(folders, suffix):
    images, masks = folders(["a.tif", "b.tif"], [f"b{suffix}.png", "other.png"])
    pairing = pair(images, masks)
    assert [(p.image.name, p.truth.name) for p in pairing.samples] == [("b.tif", f"b{suffix}.png")]
    assert [path.name for path in pairing.images_alone] == ["a.tif"]
    assert [path.name for path in pairing.masks_alone] == ["other.png"]


def test_stems_are_compared_whole(folders):
    images, masks = folders(["a1.png", "a10.png"], ["a10.png", "a1.png"])
    assert [(p.image.name, p.truth.name) for p in pair(images, masks).samples] == [
        ("a1.png", "a1.png"),
        ("a10.png", "a10.png"),
    ]


def test_equal_stems_are_matched_by_their_path(folders):
    images, masks = folders(["x/a.png", "y/a.png"], ["x/a.png", "y/a_mask.png"])
    assert [(p.image.parent.name, p.truth.parent.name) for p in pair(images, masks).samples] == [
        ("x", "x"),
        ("y", "y"),
    ]


def test_an_ambiguous_mask_is_not_guessed(folders):
    images, masks = folders(["a.png", "b.png"], ["x/a.png", "y/a.png", "b.png"])
    pairing = pair(images, masks)
    assert [p.image.name for p in pairing.samples] == ["b.png"]
    assert [path.name for path in pairing.images_alone] == ["a.png"]


def test_a_mask_is_not_given_to_each_image_of_its_name(folders):
    images, masks = folders(["x/a.png", "y/a.png", "z/b.png"], ["x/a.png", "b.png"])
    pairing = pair(images, masks)
    assert [sample.name for sample in pairing.samples] == ["x/a.png", "z/b.png"]
    assert pairing.images_alone == (images / "y/a.png",)
    lines = []
    pairing.report(lines.append)
    assert lines == [f"1 image without a mask: {images / 'y/a.png'}"]
    (masks / "x/a.png").rename(masks / "a.png")
    pairing = pair(images, masks)
    assert [sample.name for sample in pairing.samples] == ["z/b.png"]
    assert pairing.images_alone == (images / "x/a.png", images / "y/a.png")
    assert pairing.masks_alone == (masks / "a.png",)


def test_masks_below_the_images_are_no_images(tmp_path):
    (tmp_path / "masks").mkdir()
    for name in ("a.tif", "masks/a.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((4, 4), np.uint8))
    pairing = pair(tmp_path, tmp_path / "masks")
    assert [p.name for p in pairing.samples] == ["a.tif"]
    assert pairing.images_alone == ()


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("case_0000.tif", "case.png"),  # nnU-Net
        ("case_img.tif", "case_masks.png"),  # Cellpose
        ("case_img.tif", "case_cp_masks.png"),
        ("image_7.tif", "mask_7.png"),
        ("img_7.tif", "label_7.png"),
        ("7.tif", "mask_7.png"),
        ("image_7.tif", "image_7_masks.png"),
    ],
)
def test_conventions_of_other_programs(folders, image, mask):
    images, masks = folders([f"x/{image}", "b.tif"], [f"y/{mask}", "b.png", "other.png"])
    pairing = pair(images, masks)
    assert paired_names(pairing) == [("b.tif", "b.png"), (image, mask)]
    assert names(pairing.masks_alone) == ["other.png"]
    if mask != "case.png":
        folders([f"x/{mask}"], [])
        assert (image, mask) in paired_names(pair(images, images))
        assert pair(images / f"x/{image}", masks / f"y/{mask}").samples


def test_a_mask_goes_to_the_image_of_its_own_name(folders):
    """Not to another channel, and not to both of two images with a part of its name."""
    images, masks = folders(
        ["a.tif", "a_0000.tif", "a_0001.tif", "b_0000.tif", "b_img.tif"], ["a.png", "b.png"]
    )
    pairing = pair(images, masks)
    assert paired_names(pairing) == [("a.tif", "a.png")]
    assert names(pairing.images_alone) == ["a_0000.tif", "a_0001.tif", "b_0000.tif", "b_img.tif"]
    assert names(pairing.masks_alone) == ["b.png"]


def test_names_are_paired_by_a_pattern(folders):
    images, masks = folders(["raw-3_x.tif", "raw-12_y.tif", "b.tif"], ["gt/t12.png", "gt/t3.png", "t4.png"])
    pairing = pair(images, masks, pattern=r"(\d+)[^/]*$")
    assert paired_names(pairing) == [("raw-3_x.tif", "t3.png"), ("raw-12_y.tif", "t12.png")]
    assert names(pairing.images_alone) == ["b.tif"]
    assert names(pairing.masks_alone) == ["t4.png"]


@pytest.mark.parametrize(
    ("pattern", "kind", "words"),
    [
        ("(", SettingsError, "not a regular expression"),
        ("a", SettingsError, "0 groups"),
        ("(a)(b)", SettingsError, "2 groups"),
        ("(tif|png)", AnnotationError, r"a2\.tif: .* finds 'tif', as in a1\.tif"),
        (r"(\d+\.tif)|z", AnnotationError, r"images give 1\.tif, 2\.tif, annotations none"),
    ],
)
def test_patterns_that_pair_nothing(folders, pattern, kind, words):
    images, masks = folders(["a1.tif", "a2.tif"], ["b1.png", "b2.png"])
    with pytest.raises(kind, match=f"--pair .*{words}" if not words.startswith("a2") else words) as caught:
        pair(images, masks, pattern=pattern)
    with pytest.raises(SettingsError, match=r"b1\.png is a file"):
        pair(images, masks / "b1.png", pattern=r"(\d)")
    assert f"--pair '{pattern}'" in str(caught.value)


def test_ome_names(folders):
    images, masks = folders(["a.ome.tif"], ["a_masks.ome.tif"])
    assert len(pair(images, masks).samples) == 1


def test_no_match_is_an_error_of_one_line(folders, tmp_path):
    images, masks = folders(["a.tif"], ["b.tif"])
    with pytest.raises(AnnotationError, match=r"a_masks\.tif"):
        pair(images, masks)
    with pytest.raises(ImageError, match="nowhere"):
        pair(images, tmp_path / "nowhere")


def test_only_keeps_the_listed_images(folders, tmp_path):
    images, masks = folders(["x/a.png", "b.png", "c.png"], ["x/a.png", "b.png", "c.png"])
    pairing = pair(images, masks)
    names = tmp_path / "names.txt"
    for encoding in ("utf-8", "utf-8-sig"):
        names.write_text("x/a.png\n\n  c.png \n", encoding=encoding)
        assert [p.name for p in pairing.only(names).samples] == ["c.png", "x/a.png"]
    assert pairing.only(None) is pairing
    names.write_text("d.png\n")
    with pytest.raises(AnnotationError, match=r"d\.png"):
        pairing.only(names)
    with pytest.raises(AnnotationError, match="absent"):
        pairing.only(tmp_path / "absent")
    names.write_text(" \n")
    with pytest.raises(AnnotationError, match=r"names\.txt: names no image"):
        pairing.only(names)


# --- folders as other programs leave them


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array)


def paired_names(pairing):
    return [(p.image.name, p.truth.name) for p in pairing.samples]


def names(paths):
    return sorted(path.name for path in paths)


@pytest.fixture
def pictures(tmp_path):
    """Three images with different numbers of beads; returns their label images."""
    truths = {f"{name}.tif": discs(count) for name, count in (("a", 2), ("b", 3), ("c", 4))}
    for name, (image, _) in truths.items():
        save(tmp_path / "images" / name, image)
    return {name: labels for name, (_, labels) in truths.items()}


def found_all(pairing, truths):
    for item in pairing.samples:
        truth = truths[item.image.name]
        assert len(np.unique(item.load(truth.shape).labels)) == len(np.unique(truth)), item
    return len(pairing.samples) == len(truths)


def outlines(images):
    return annotating.coco(images, lambda mask: [annotating.flat(annotating.borders(mask)[0])])


def test_each_image_may_have_a_format_of_its_own(tmp_path, pictures):
    annotating.save(tmp_path / "truth/a.geojson", annotating.geojson(pictures["a.tif"]))
    regions = [annotating.traced(mask) for _, mask in annotating.beads(pictures["b.tif"])]
    annotating.region_set(tmp_path / "truth/b_RoiSet.zip", regions)
    (tmp_path / "truth/c_cp_outlines.txt").write_text(annotating.cellpose(pictures["c.tif"]))
    pairing = pair(tmp_path / "images", tmp_path / "truth")
    assert found_all(pairing, pictures)
    assert (pairing.images_alone, pairing.masks_alone) == ((), ())


def test_one_coco_file_for_all_images(tmp_path, pictures):
    path = annotating.save(tmp_path / "all.json", outlines(pictures))
    assert found_all(pair(tmp_path / "images", path), pictures)
    (tmp_path / "annotations").mkdir()
    path.rename(tmp_path / "annotations/instances_default.json")
    pairing = pair(tmp_path / "images", tmp_path / "annotations")
    assert found_all(pairing, pictures)
    assert {p.truth.name for p in pairing.samples} == {"instances_default.json"}
    # The folder above both, as CVAT lays it out.
    assert found_all(pair(tmp_path / "images", tmp_path), pictures)


def test_coco_with_missing_files_lists_them_all(tmp_path, pictures):
    more = {f"gone_{index}.png": pictures["a.tif"] for index in range(9)}
    path = annotating.save(tmp_path / "all.json", outlines({"b.tif": pictures["b.tif"]} | more))
    pairing = pair(tmp_path / "images", path)
    assert paired_names(pairing) == [("b.tif", "all.json")]
    assert names(pairing.images_alone) == ["a.tif", "c.tif"]
    assert names(pairing.masks_alone) == sorted(more)
    lines = []
    pairing.report(lines.append)
    assert lines[0] == "2 images without a mask: a.tif, c.tif"
    assert lines[1].startswith("9 masks without an image: ")
    assert all(name in lines[1] for name in more)
    none = annotating.save(tmp_path / "none.json", outlines(more))
    with pytest.raises(AnnotationError, match=r"none of the images that it names .* gone_0\.png"):
        pair(tmp_path / "images", none)


def test_ambiguous_names_in_a_file_are_not_matched(tmp_path, pictures):
    labels = pictures["a.tif"]
    for name in ("deep/x.tif", "deep/y.tif", "other/y.tif"):
        save(tmp_path / "images" / name, labels)
    written = {
        "C:\\data\\a.tif": "a.tif",
        "elsewhere/b.png": "b.tif",
        "deep/x.tif": "x.tif",
        "y.tif": None,
        "one/c.tif": None,
        "two/c.tif": None,
    }
    path = annotating.save(tmp_path / "all.json", outlines(dict.fromkeys(written, labels)))
    pairing = pair(tmp_path / "images", path)
    assert names(p.image for p in pairing.samples) == ["a.tif", "b.tif", "x.tif"]
    assert len(pairing.masks_alone) == 3
    assert names(pairing.images_alone) == ["c.tif", "y.tif", "y.tif"]


def centres(labels):
    return [np.argwhere(mask).mean(0) for _, mask in annotating.beads(labels)]


def test_one_table_of_centres_for_all_images(tmp_path, pictures):
    rows = [f"{name},{y},{x}" for name, labels in pictures.items() for y, x in centres(labels)]
    path = tmp_path / "centres.csv"
    path.write_text("\n".join(["image,y,x", *rows]))
    assert found_all(pair(tmp_path / "images", path, diameter_px=10), pictures)
    for truth in (path, tmp_path):
        with pytest.raises(SettingsError, match="--centre-diameter"):
            pair(tmp_path / "images", truth)


def test_a_table_of_centres_for_each_image(tmp_path, pictures):
    (tmp_path / "points").mkdir()
    for name, labels in pictures.items():
        rows = [f"{y},{x}" for y, x in centres(labels)]
        (tmp_path / "points" / name.replace(".tif", "_centres.csv")).write_text("\n".join(["y,x", *rows]))
    assert found_all(pair(tmp_path / "images", tmp_path / "points", diameter_px=10), pictures)
    with pytest.raises(SettingsError, match="--centre-diameter"):
        pair(tmp_path / "images", tmp_path / "points")


def test_geojson_that_names_its_images(tmp_path, pictures):
    features = [
        feature
        for name, labels in pictures.items()
        for feature in annotating.geojson(labels, image=name)["features"]
    ]
    path = annotating.save(tmp_path / "all.geojson", {"type": "FeatureCollection", "features": features})
    assert found_all(pair(tmp_path / "images", path), pictures)
    del features[0]["properties"]["image"]
    annotating.save(path, {"type": "FeatureCollection", "features": features})
    with pytest.raises(AnnotationError, match="1 features name no image"):
        pair(tmp_path / "images", path)


def test_two_files_that_name_one_image(tmp_path, pictures):
    for name in ("one", "two"):
        annotating.save(tmp_path / f"truth/{name}.json", outlines(pictures))
    with pytest.raises(AnnotationError, match=r"two\.json: annotates a\.tif, and so does .*one\.json"):
        pair(tmp_path / "images", tmp_path / "truth")


def test_images_and_masks_in_one_folder_as_cellpose_leaves_them(tmp_path, pictures):
    for name, labels in pictures.items():
        stem = name.removesuffix(".tif")
        save(tmp_path / "images" / f"{stem}_cp_masks.tif", labels)
        (tmp_path / "images" / f"{stem}_cp_outlines.txt").write_text(annotating.cellpose(labels))
        np.save(tmp_path / "images" / f"{stem}_seg.npy", np.zeros(3))
    pairing = pair(tmp_path / "images", tmp_path / "images")
    assert paired_names(pairing) == [(f"{stem}.tif", f"{stem}_cp_masks.tif") for stem in "abc"]
    assert found_all(pairing, pictures)
    assert (pairing.images_alone, pairing.masks_alone) == ((), ())
    assert len(pairing.unread) == 6
    lines = []
    pairing.report(lines.append)
    assert len(lines) == 1
    assert "6 further annotations of the same images, not read: a_cp_outlines.txt" in lines[0]


@pytest.mark.parametrize("truth", ["truth", "truth/a.tif", "images"])
def test_images_in_other_formats_are_said_once_a_kind(tmp_path, pictures, truth):
    name = "a_masks.tif" if truth == "images" else "a.tif"
    for folder in {"truth", Path(truth).parts[0]}:
        save(tmp_path / folder / name, pictures["a.tif"])
    for other in ("x.oir", "y.OIR", "z.vsi"):
        (tmp_path / "images" / other).touch()
    lines = []
    pair(tmp_path / "images", tmp_path / truth).report(lines.append)
    assert lines[-1] == "not read: 2 .oir, 1 .vsi; export them as OME-TIFF"


@pytest.mark.parametrize(
    ("form", "suffix"), [("labels", "_cp_masks.tif"), ("yolo", ".txt"), ("coco", ".json")]
)
def test_a_named_format_chooses_among_files(tmp_path, pictures, form, suffix):
    for name, labels in pictures.items():
        stem = tmp_path / "truth" / name.removesuffix(".tif")
        save(stem.with_name(f"{stem.name}_cp_masks.tif"), labels)
        stem.with_suffix(".txt").write_text(annotating.yolo(labels))
        annotating.save(stem.with_suffix(".json"), outlines({name: labels}))
    pairing = pair(tmp_path / "images", tmp_path / "truth", form=AnnotationFormat(form))
    assert {p.truth.name.removeprefix(p.image.stem) for p in pairing.samples} == {suffix}
    assert found_all(pairing, pictures)


def test_yolo_beside_its_list_of_classes(tmp_path, pictures):
    for name, labels in pictures.items():
        path = tmp_path / "labels" / name.replace(".tif", ".txt")
        path.parent.mkdir(exist_ok=True)
        path.write_text(annotating.yolo(labels))
    (tmp_path / "labels/classes.txt").write_text("bead\n")
    pairing = pair(tmp_path / "images", tmp_path / "labels")
    assert found_all(pairing, pictures)
    assert pairing.masks_alone == ()


def test_one_file_for_one_image(tmp_path, pictures):
    regions = [annotating.traced(mask) for _, mask in annotating.beads(pictures["b.tif"])]
    annotating.region_set(tmp_path / "RoiSet.zip", regions)
    assert paired_names(pair(tmp_path / "images/b.tif", tmp_path / "RoiSet.zip")) == [("b.tif", "RoiSet.zip")]
    with pytest.raises(AnnotationError, match=r"annotates one image, and .* holds 3"):
        pair(tmp_path / "images", tmp_path / "RoiSet.zip")
    (tmp_path / "RoiSet.zip").rename(tmp_path / "b_rois.zip")
    pairing = pair(tmp_path / "images", tmp_path / "b_rois.zip")
    assert paired_names(pairing) == [("b.tif", "b_rois.zip")]
    assert names(pairing.images_alone) == ["a.tif", "c.tif"]
    with pytest.raises(AnnotationError, match="image and annotation in one"):
        pair(tmp_path / "images/b.tif", tmp_path / "images/b.tif")


def test_a_folder_without_readable_annotations_is_refused_with_the_reason(tmp_path, pictures):
    annotating.save(tmp_path / "truth/run.json", {"epochs": 3})
    with pytest.raises(AnnotationError, match=r"run\.json: JSON, but not COCO"):
        pair(tmp_path / "images", tmp_path / "truth")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ImageError, match=r"empty: no annotations; looked for .*\.json"):
        pair(tmp_path / "images", tmp_path / "empty")
    # Beside usable masks it is only reported.
    save(tmp_path / "truth/a.tif", pictures["a.tif"])
    assert names(pair(tmp_path / "images", tmp_path / "truth").masks_alone) == ["run.json"]


def test_pairs_can_be_sent_to_other_processes(tmp_path, pictures):
    path = annotating.save(tmp_path / "all.json", outlines(pictures))
    for truth in (path, tmp_path / "images"):
        if truth != path:
            for name, labels in pictures.items():
                save(truth / name.replace(".tif", "_masks.tif"), labels)
        again = pickle.loads(pickle.dumps(pair(tmp_path / "images", truth)))
        assert found_all(again, pictures)


# --- through the command line


@pytest.fixture
def tile(run):
    def call(truth, *options):
        return run("tile", "images", truth, "-o", "tiles", "--size", "64", "--overlap", "0", *options)

    return call


@pytest.mark.parametrize("flag", ["--diameter", "--centre-diameter"])
def test_tiles_from_centres(tile, tmp_path, pictures, flag):
    rows = [f"{name},{y},{x}" for name, labels in pictures.items() for y, x in centres(labels)]
    (tmp_path / "all.csv").write_text("\n".join(["image,y,x", *rows]))
    said = tile("all.csv")
    assert said.code == 2
    assert "--centre-diameter" in said.error
    assert not (tmp_path / "tiles").exists()
    said = tile("all.csv", flag, "10")
    assert said.code == 0
    assert "a.tif, b.tif, c.tif: bead centres: painted as discs of 10 px" in said.err
    for row in read_manifest(tmp_path / "tiles"):
        found = tifffile.imread(row.mask) > 0
        truth = pictures[row.source][row.top : row.top + 64, row.left : row.left + 64] > 0
        assert (found != truth).mean() < 0.01


def test_tiles_from_a_named_format_with_its_remarks(tile, tmp_path, pictures):
    for name, labels in pictures.items():
        save(tmp_path / "masks" / name, ((labels > 0) * 255).astype(np.uint8))
    said = tile("masks", "--annotations", "binary")
    assert said.code == 0
    assert "binary mask: above 127.5, half its highest value" in said.err
    assert "a label image of one bead takes --annotations labels" in said.err
    assert sum(row.beads for row in read_manifest(tmp_path / "tiles")) >= 2 + 3 + 4
    said = tile("masks", "--annotations", "labels", "--overwrite")
    assert {row.beads for row in read_manifest(tmp_path / "tiles")} <= {0, 1}
    said = tile("masks", "--annotations", "crayon")
    assert said.code == 2
    assert "'crayon'" in said.error
    assert "coco" in said.error


def test_a_bead_outside_its_image_is_reported_and_the_others_are_cut(tile, tmp_path, pictures):
    document = outlines(pictures)
    document["annotations"][0]["segmentation"] = [[500.0, 500.0, 520.0, 500.0, 520.0, 520.0]]
    document["annotations"][-1]["iscrowd"] = 1
    annotating.save(tmp_path / "all.json", document)
    said = tile("all.json")
    assert said.code == 1
    assert "all.json: annotation 1001 lies outside the image (96x128 px)" in said.error
    assert ": crowd regions (iscrowd), left out, whose beads count as background: 1" in said.err
    assert {row.source for row in read_manifest(tmp_path / "tiles")} == {"b.tif", "c.tif"}


def test_eval_scores_against_any_annotation(run, model_path, tmp_path, pictures):
    for name, labels in pictures.items():
        save(tmp_path / "masks" / name, labels)
    annotating.save(tmp_path / "all.json", outlines(pictures))
    rows = [f"{name},{y},{x}" for name, labels in pictures.items() for y, x in centres(labels)]
    (tmp_path / "all.csv").write_text("\n".join(["image,y,x", *rows]))
    figures = [
        json.loads(run("eval", "images", truth, "-m", model_path, *options).out)["figures"]
        for truth, options in (("masks", ()), ("all.json", ()), ("all.csv", ("--centre-diameter", "10")))
    ]
    assert figures[0] == figures[1]
    assert figures[0]["f1@0.50"] == figures[2]["f1@0.50"] == 1
    assert figures[2]["jaccard"] == pytest.approx(figures[0]["jaccard"], abs=0.1)
    said = run("eval", "images", "all.csv", "-m", model_path)
    assert said.code == 2
    assert "--centre-diameter" in said.error


def test_tile_audit_and_eval_pair_by_a_pattern(run, model_path, tmp_path):
    image, labels = discs(3)
    for number in "12":
        save(tmp_path / f"images/raw-{number}_x.tif", image)
        save(tmp_path / f"masks/t{number}.tif", labels)
    call = ("images", "masks", "--pair", r"(\d)")
    assert len(run("tile", *call, "--size", "80", "--dry-run", "--format", "csv").out.splitlines()) > 2
    assert "2 pairs" in run("audit", *call, "--no-find").err
    assert json.loads(run("eval", *call, "-m", model_path).out)["figures"]["true_count"] == 6
    said = run("tile", "images", "masks", "-o", "tiles")
    assert said.code != 0
    assert "--pair" in said.error


def test_masks_by_class_are_named_by_tile_audit_and_eval(run, tile, model_path, tmp_path):
    """Two classes of beads and no 0; and classes above 0."""
    image, labels = discs(30, 160, 160)
    for name, values in (("a", np.where(labels > 0, 2, 1)), ("b", np.where(labels > 0, labels % 2 + 1, 0))):
        save(tmp_path / f"images/{name}.tif", image)
        save(tmp_path / f"masks/{name}.tif", values.astype(np.uint8))
    audited = run("audit", "images", "masks", "--no-find", "-o", "audited")
    assert audited.code == 1
    assert audited.out.count("as in a mask by class") == 2
    faults = (tmp_path / "audited/audit.csv").read_text(encoding="utf-8")
    assert faults.count("mask by class") >= 2
    for said in (tile("masks"), run("eval", "images", "masks", "-m", model_path)):
        assert "labels of several separate beads, as in a mask by class: 2; each label" in said.err
        assert "mask without 0, of values 1, 2, as in a mask by class" in said.err


def test_tiles_keep_a_bead_that_is_cut_in_two(run, model_path, tmp_path):
    """A tile with one bead has two values, but is a label image."""
    labels = np.zeros((64, 64), np.uint16)
    labels[10:20, 10:20] = labels[40:50, 10:20] = 1
    labels[60:63, 60:63] = 2
    save(tmp_path / "images/a.tif", discs(1, 64, 64)[0])
    save(tmp_path / "masks/a.tif", labels)
    call = ("tile", "images", "masks", "-o", "tiles", "--size", "56", "--overlap", "0")
    assert run(*call, "--val-fraction", "0", "--test-fraction", "0").code == 0
    rows = [row for row in read_manifest(tmp_path / "tiles") if row.beads == 1]
    assert rows
    said = run("eval", "--tiles", "tiles", "--split", "train", "-m", model_path)
    assert json.loads(said.out)["figures"]["true_count"] == sum(
        r.beads for r in read_manifest(tmp_path / "tiles")
    )
