"""Files that name the images that they annotate."""

import pytest
from helpers import annotating
from helpers.pairing import centres, found_all, names, outlines, paired_names, save

from beadctl.annotations.pairing import pair
from beadctl.errors import AnnotationError, SettingsError


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


def test_one_table_of_centres_for_all_images(tmp_path, pictures):
    rows = [f"{name},{y},{x}" for name, labels in pictures.items() for y, x in centres(labels)]
    path = tmp_path / "centres.csv"
    path.write_text("\n".join(["image,y,x", *rows]))
    assert found_all(pair(tmp_path / "images", path, diameter_px=10), pictures)
    for truth in (path, tmp_path):
        with pytest.raises(SettingsError, match="--centre-diameter"):
            pair(tmp_path / "images", truth)


def test_geojson_may_name_the_image_of_each_feature(tmp_path, pictures):
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


def test_two_files_that_name_one_image_are_refused(tmp_path, pictures):
    for name in ("one", "two"):
        annotating.save(tmp_path / f"truth/{name}.json", outlines(pictures))
    with pytest.raises(AnnotationError, match=r"two\.json: annotates a\.tif, and so does .*one\.json"):
        pair(tmp_path / "images", tmp_path / "truth")
