"""COCO JSON gives the beads back that were written to it."""

import json
import os
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from helpers import annotating
from helpers.annotating import SHAPE, likeness, same_beads
from helpers.images import discs
from skimage import measure

from beadctl.annotations import AnnotationFormat
from beadctl.annotations.head import Head, detect
from beadctl.annotations.pairing import pair
from beadctl.annotations.reading import read
from beadctl.errors import AnnotationError


def coco_of(labels, path, segment, **extra):
    return annotating.save(path / "a.json", annotating.coco({"a.tif": labels}, segment, **extra))


@pytest.mark.parametrize("squeeze", [False, True])
def test_coco_run_lengths_are_exact(tmp_path, scenes, squeeze):
    def segment(mask):
        runs = annotating.runs(mask)
        return {"size": list(mask.shape), "counts": annotating.compressed(runs) if squeeze else runs}

    for labels in scenes:
        labelled = read(coco_of(labels, tmp_path, segment), SHAPE)
        assert same_beads(labelled.labels, labels)
        assert labelled.remarks == ()


def test_coco_polygons_along_borders_of_pixels(tmp_path, scenes):
    """Holes are lost, as COCO has none; but where a smaller bead fills one, it stays visible."""

    def segment(mask):
        return [annotating.flat(annotating.borders(piece)[0]) for piece in annotating.pieces(mask)]

    for labels in scenes:
        ious = likeness(read(coco_of(labels, tmp_path, segment), SHAPE).labels, labels)
        assert (ious >= 0.95).all()
        assert np.median(ious) == 1


def test_coco_polygons_with_fractions_as_cvat_writes_them(tmp_path, scenes):
    """Contours half-way between the centres of pixels, moved to where the first pixel spans 0 to 1."""

    def segment(mask):
        rings = [measure.find_contours(np.pad(piece, 1), 0.5)[0] for piece in annotating.pieces(mask)]
        return [annotating.flat(np.round(ring[:-1, ::-1] - 0.5, 2)) for ring in rings]

    for labels in scenes[4:]:
        path = coco_of(labels, tmp_path, segment, attributes={"occluded": False})
        ious = likeness(read(path, SHAPE).labels, labels)
        assert (ious >= 0.95).all()


def test_coco_polygons_traced_along_pixels(tmp_path, scenes):
    """Whole numbers, as from findContours: the pixels of the rim, which belong to the bead."""

    def segment(mask):
        return [annotating.flat(annotating.rim(piece)) for piece in annotating.pieces(mask, eight=True)]

    for labels in scenes:
        labelled = read(coco_of(labels, tmp_path, segment), SHAPE)
        ious = likeness(labelled.labels, labels)
        assert (ious >= 0.95).all()
        assert np.median(ious) == 1
        (note,) = (remark for remark in labelled.remarks if not remark.doubtful)
        assert "each vertex is taken as a pixel" in note.words


def test_coco_boxes_alone_are_ellipses(tmp_path):
    _, truth = discs(6)
    path = annotating.save(tmp_path / "a.json", annotating.coco({"a.tif": truth}, lambda mask: []))
    labelled = read(path, truth.shape)
    # A box around whole pixels is up to a pixel wider than its bead of 10 px.
    assert (likeness(labelled.labels, truth) > 0.85).all()
    assert any("the ellipse in the box" in remark.words for remark in labelled.remarks)


def test_crowds_are_left_out_with_a_remark_except_those_of_cvat(tmp_path):
    _, truth = discs(4)

    def segment(mask):
        return {"size": list(mask.shape), "counts": annotating.runs(mask)}

    document = annotating.coco({"a.tif": truth}, segment)
    document["annotations"][1]["iscrowd"] = 1
    labelled = read(annotating.save(tmp_path / "a.json", document), truth.shape)
    assert len(np.unique(labelled.labels)) == 1 + 3
    (remark,) = labelled.remarks
    assert (remark.count, remark.doubtful) == (1, True)
    assert "crowd" in remark.words
    for annotation in document["annotations"]:
        annotation |= {"iscrowd": 1, "attributes": {"occluded": False}}
    labelled = read(annotating.save(tmp_path / "a.json", document), truth.shape)
    assert same_beads(labelled.labels, truth)


def test_the_archive_that_cvat_exports(tmp_path):
    _, truth = discs(4)
    document = annotating.coco({"a.tif": truth}, lambda mask: [annotating.flat(annotating.borders(mask)[0])])
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.writestr("annotations/instances_default.json", json.dumps(document))
        archive.writestr("images/default/a.tif", b"II*\0")
    assert detect(Head.of(tmp_path / "task.zip")) is AnnotationFormat.COCO
    assert same_beads(read(tmp_path / "task.zip", truth.shape).labels, truth)


def test_the_named_image_of_a_file_of_many_is_read(tmp_path):
    images = {f"deep/{count}.png": discs(count)[1] for count in (1, 3, 5)}
    path = tmp_path / "all.json"
    document = annotating.coco(images, lambda mask: [annotating.flat(annotating.borders(mask)[0])])
    annotating.save(path, document)
    for name, truth in images.items():
        assert same_beads(read(path, truth.shape, image=PurePosixPath(name)).labels, truth)
    with pytest.raises(AnnotationError, match="annotates 3 images"):
        read(path, (96, 128), image=PurePosixPath("other.png"))


def test_powder_polygons_equal_its_label_images():
    if not os.environ.get("BEADCTL_DATA"):
        pytest.skip("BEADCTL_DATA names no folder of real images")
    folder = Path(os.environ["BEADCTL_DATA"]) / "powder"
    outlines = pair(folder / "images", folder / "annotations_coco.json")
    masks = pair(folder / "images", folder / "masks")
    assert len(outlines.samples) == 3
    assert (outlines.images_alone, outlines.masks_alone) == ((), ())
    for ours, theirs in zip(outlines.samples, masks.samples, strict=True):
        assert ours.image == theirs.image
        truth = theirs.load((1024, 1536)).labels
        assert truth.max() > 200
        np.testing.assert_array_equal(ours.load((1024, 1536)).labels, truth)
