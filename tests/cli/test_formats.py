"""Files of microscope makers on the command line; the extra `formats` is needed."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from helpers.czi import write_czi
from helpers.images import discs
from helpers.lif import write_lif
from helpers.nd2 import TIME, write_nd2

for name in ("czifile", "liffile", "nd2"):
    pytest.importorskip(name, reason=f"{name} is not installed (extra formats)")


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """Write the same two fields in each format into ``in``; return their counts."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "in"
    folder.mkdir()
    fields = np.stack([discs(count)[0] for count in (3, 6)]).astype(np.uint16)
    tifffile.imwrite(folder / "a.ome.tif", fields, ome=True, metadata={"axes": "TYX"})
    write_czi(folder / "a.czi", [({"X": 0, "Y": 0, "T": t}, field) for t, field in enumerate(fields)])
    write_lif(folder / "a.lif", [("one", "TYX", fields)])
    write_nd2(folder / "a.nd2", fields[..., None], [(TIME, 2)])
    return [3, 6]


def test_counts_are_those_of_tiff_and_a_broken_file_is_a_row_of_its_own(run, model_path, stack):
    for suffix in ("czi", "lif", "nd2"):
        content = Path(f"in/a.{suffix}").read_bytes()
        Path(f"in/broken.{suffix}").write_bytes(content[: len(content) // 2])
    said = run("count", "in", "-m", model_path)
    assert said.code == 1
    assert "Traceback" not in said.err
    rows = list(csv.DictReader(io.StringIO(said.out)))
    counted = {row["image"]: [] for row in rows}
    for row in rows:
        counted[row["image"]].append((row["status"], row["count"]))
    good = [("ok", str(count)) for count in stack]
    assert [counted.pop(f"a.{suffix}") for suffix in ("ome.tif", "czi", "lif", "nd2")] == [good] * 4
    assert {name: status for name, [(status, _)] in counted.items()} == {
        f"broken.{suffix}": "failed" for suffix in ("czi", "lif", "nd2")
    }


def test_info_describes_them(run, stack):
    for suffix in ("czi", "lif", "nd2"):
        said = run("info", f"in/a.{suffix}")
        assert said.code == 0, said.err
        assert "TYX" in said.out
        assert "2 planes of 96 x 128 px" in said.out
