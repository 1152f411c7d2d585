"""Images of at least 1,500 px and their masks at half the size: halve.py FROM TO.

Both folders have images/, grey PNG, and masks/, label images of the same stems. So the network is trained
also on large noisy particles as the scale rule shows them.
"""

import sys
from pathlib import Path

import numpy as np
import tifffile
from skimage.io import imread, imsave

LEAST_EDGE_PX = 1500


def main(source: Path, target: Path) -> None:
    """Write the halved images and masks."""
    for kind in ("images", "masks"):
        (target / kind).mkdir(parents=True, exist_ok=True)
    for path in sorted((source / "images").iterdir()):
        image = imread(path)
        height, width = image.shape
        if min(height, width) < LEAST_EDGE_PX:
            continue
        rows, columns = height // 2 * 2, width // 2 * 2
        blocks = image[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2)
        imsave(target / "images" / path.name, np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8))
        name = f"{path.stem}.tif"
        labels = tifffile.imread(source / "masks" / name)
        tifffile.imwrite(target / "masks" / name, labels[:rows:2, :columns:2])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
