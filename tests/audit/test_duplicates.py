"""Images that occur twice, and the owners of swapped masks."""

import numpy as np
import tifffile
from helpers.audited import field
from helpers.results_folder import table

from beadctl.audit.duplicates import (
    BLOCK,
    ImageFingerprint,
    find_duplicates,
    image_fingerprint,
    likely_owners,
)


def test_an_image_on_both_sides_of_the_split_is_a_leak(run, folder):
    for number in range(3):
        (folder / f"images/f{number}.tif").unlink()
        (folder / f"masks/f{number}_masks.tif").unlink()
    for name in ("a", "b"):
        image = tifffile.imread(folder / "images/f3.tif")
        tifffile.imwrite(folder / f"images/{name}.tif", image + np.uint16(ord(name) % 2))
        tifffile.imwrite(folder / f"masks/{name}.tif", tifffile.imread(folder / "masks/f3_masks.tif"))
    tiles = folder / "tiles"
    cut = run("tile", folder / "images", folder / "masks", "--size", "256", "-o", tiles)
    assert cut.code == 0
    lines = (tiles / "manifest.csv").read_text().splitlines()
    body = [line.split(",", 1) for line in lines[1:]]
    split = [("val" if "/f3_" in rest else "train") + "," + rest for _, rest in body]
    (tiles / "manifest.csv").write_text("\n".join([lines[0], *split]) + "\n")
    result = run("audit", tiles, "--no-find", "-o", folder / "out")
    assert result.code == 1
    faulty = {row["image"]: row["faults"] for row in table(folder / "out/audit.csv") if row["faults"]}
    assert set(faulty.values()) == {"leak", "duplicate"}


def test_the_folder_is_compared_with_itself():
    pairs = [field(seed) for seed in range(8)]
    brighter = [((image * 1.5 + 9).astype(np.uint16), labels) for image, labels in pairs[:2]]
    fingerprints = [image_fingerprint(image, labels) for image, labels in [*pairs, *brighter]]
    assert find_duplicates(fingerprints) == {8: 0, 9: 1}
    assert likely_owners(fingerprints, [0], most=1) == {0: [8]}
    assert likely_owners(fingerprints, []) == find_duplicates([None]) == {}


def test_several_blocks_of_fingerprints_are_compared_with_all():
    count, later = 2 * BLOCK + 7, BLOCK + 5
    parts = np.random.default_rng(5).integers(-99, 99, (count, 3, 32, 32), dtype=np.int8)
    parts[later:, 0] = parts[: count - later, 0]
    parts[-3:, 2] = parts[:3, 1]
    fingerprints = [None] * (3 * count)
    for number, (grey, detail, outline) in enumerate(parts):
        shape = (64, 65) if number < count - 1 else (65, 64)
        # Pairs that cannot be read leave gaps.
        fingerprints[3 * number] = ImageFingerprint(shape, grey, detail, outline)
    assert find_duplicates(fingerprints) == {3 * at: 3 * (at - later) for at in range(later, count - 1)}
    masks = [3 * (count - 3), 3 * (count - 2), 3 * (count - 1)]
    owners = likely_owners(fingerprints, masks, most=2)
    assert [found[:1] for found in owners.values()] == [[0], [3], []]
    assert len(owners[3 * (count - 3)]) == 2
