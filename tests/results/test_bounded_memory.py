"""A run in little memory gives the same bytes: arrays in files, small tiles, cells and bands."""

from functools import partial
from pathlib import Path

import pytest

from beadctl import scratch
from beadctl.results.formats import Output
from beadctl.segmentation import basins, cells


@pytest.mark.parametrize("tile_size", ["0", "64"])
def test_results_do_not_depend_on_memory(run, bead_folder, model_path, monkeypatch, tile_size):
    def segment(out):
        words = ("-m", model_path, "-o", out, "--tile-size", tile_size, "--save", ",".join(Output))
        assert run("segment", bead_folder, *words).code == 0
        made = [path for path in Path(out).glob("*/**/*") if path.is_file() and ".beadctl" not in path.parts]
        return {path.relative_to(out): path.read_bytes() for path in [*made, *Path(out).glob("*.csv")]}

    ample = segment("ample")
    bands = scratch.bands
    monkeypatch.setattr(scratch, "keep_in_memory", lambda most_bytes: None)
    monkeypatch.setattr(scratch, "_kept", [0])
    monkeypatch.setattr(scratch, "bands", lambda height, width: bands(height, width, px=11 * width))
    monkeypatch.setattr(basins, "EDGE_PX", 70)
    monkeypatch.setattr(basins, "cells", partial(cells.cells, halo_px=40))
    assert segment("scarce") == ample
    assert len(ample) > 4 * len(Output)
