"""Folders of annotations as other programs leave them, paired with their images."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from helpers import annotating
from helpers.pairing import centres, found_all, names, outlines, paired_names, save

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.pairing import pair
from beadctl.errors import AnnotationError, ImageError, SettingsError


def test_each_image_may_have_a_format_of_its_own(tmp_path, pictures):
    annotating.save(tmp_path / "truth/a.geojson", annotating.geojson(pictures["a.tif"]))
    regions = [annotating.traced(mask) for _, mask in annotating.beads(pictures["b.tif"])]
    annotating.region_set(tmp_path / "truth/b_RoiSet.zip", regions)
    (tmp_path / "truth/c_cp_outlines.txt").write_text(annotating.cellpose(pictures["c.tif"]))
    pairing = pair(tmp_path / "images", tmp_path / "truth")
    assert found_all(pairing, pictures)
    assert (pairing.images_alone, pairing.masks_alone) == ((), ())


def test_a_table_of_centres_for_each_image(tmp_path, pictures):
    (tmp_path / "points").mkdir()
    for name, labels in pictures.items():
        rows = [f"{y},{x}" for y, x in centres(labels)]
        (tmp_path / "points" / name.replace(".tif", "_centres.csv")).write_text("\n".join(["y,x", *rows]))
    assert found_all(pair(tmp_path / "images", tmp_path / "points", diameter_px=10), pictures)
    with pytest.raises(SettingsError, match="--centre-diameter"):
        pair(tmp_path / "images", tmp_path / "points")


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


def test_the_list_of_classes_of_yolo_is_no_annotation(tmp_path, pictures):
    for name, labels in pictures.items():
        path = tmp_path / "labels" / name.replace(".tif", ".txt")
        path.parent.mkdir(exist_ok=True)
        path.write_text(annotating.yolo(labels))
    (tmp_path / "labels/classes.txt").write_text("bead\n")
    pairing = pair(tmp_path / "images", tmp_path / "labels")
    assert found_all(pairing, pictures)
    assert pairing.masks_alone == ()


def test_a_file_of_one_image_is_paired_with_one_image(tmp_path, pictures):
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
