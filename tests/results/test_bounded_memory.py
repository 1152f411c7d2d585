"""A run in little memory gives the same bytes: arrays in files, small tiles, cells and bands."""

from functools import partial
from pathlib import Path

import pytest

from beadctl import scratch
from beadctl.segmentation import basins, cells


@pytest.mark.parametrize("tile_size", ["0", "64"])
def test_results_do_not_depend_on_memory(run, bead_folder, model_path, monkeypatch, tile_size):
    def segment(out):
        assert run("segment", bead_folder, "-m", model_path, "-o", out, "--tile-size", tile_size).code == 0
        files = [path for path in Path(out).rglob("*") if path.suffix in (".tif", ".png", ".csv")]
        return {path.relative_to(out): path.read_bytes() for path in files}

    ample = segment("ample")
    bands = scratch.bands
    monkeypatch.setattr(scratch, "keep_in_memory", lambda most_bytes: None)
    monkeypatch.setattr(scratch, "_kept", [0])
    monkeypatch.setattr(scratch, "bands", lambda height, width: bands(height, width, px=11 * width))
    monkeypatch.setattr(basins, "EDGE_PX", 70)
    monkeypatch.setattr(basins, "cells", partial(cells.cells, halo_px=40))
    assert segment("scarce") == ample
    assert len(ample) > 4
