"""What a merge holds: few rows, no names, and one open file for any number of shards."""

import json
import os
import tracemalloc
import weakref
from pathlib import Path

import pytest
from helpers.results_folder import table

from beadctl.results import ledger, merge, shards, tables
from beadctl.results.ledger import Entry, ImageResult, Row
from beadctl.results.outputs import Outputs
from beadctl.shard import Shard


def simulated(out, images, count):
    """Shards that have done so many images, of one plane and one bead each."""
    records, names = [], [f"plate/i{place:04d}.tif" for place in range(images)]
    for number in range(1, count + 1):
        lines = []
        for place in range(number - 1, images, count):
            entry = Entry("key:0", "", ImageResult((Row(names[place], 0, "", "ok", count=1),)))
            ledger.save(out, Path(names[place]), entry, ["x\n"])
            line = {"place": place, "name": names[place], "path": names[place], "failed": []}
            lines.append(json.dumps(line) + "\n")
        folder = shards.folder_of(out, Shard(number, count))
        folder.mkdir(parents=True)
        (folder / shards.IMAGES).write_text("".join(lines))
        records.append(shards.Record(folder, Shard(number, count), {"shard": {"images": images}}))
    whole = merge.Shards(out, tuple(records))
    return names, lambda: ((image.name, "ok") for image in whole.in_order())


def test_a_merge_keeps_no_rows(tmp_path, monkeypatch):
    """The ledger is read one image at a time: the rows of few are alive at once."""
    out = tmp_path / "out"
    names, states = simulated(out, 60, 3)
    real, results, most = ledger.read, [], 0

    def read(*place):
        nonlocal most
        entry = real(*place)
        results.append(weakref.ref(entry.result))
        most = max(most, sum(result() is not None for result in results))
        return entry

    monkeypatch.setattr(ledger, "read", read)
    left = tables.write_tables(out, states, "key", Outputs(out))
    assert (left.lost, left.others) == ([], [])
    assert [row["image"] for row in table(out / "counts.csv")] == names
    assert most <= 4


def test_a_merge_keeps_no_names(tmp_path, monkeypatch):
    """What it holds at the last image does not grow with the images, whose names take 100 bytes each."""
    monkeypatch.setattr("beadctl.files.os.fsync", lambda _: None)
    monkeypatch.setattr(shards, "READ_BYTES", 512)
    own = tracemalloc.Filter(True, tables.__file__, all_frames=True)
    few, many, held = 60, 240, {}
    for images in (few, many):
        out, sizes = tmp_path / str(images), []
        _, states = simulated(out, images, 3)

        def watched(states=states, images=images, sizes=sizes):
            for number, state in enumerate(states(), 1):
                if number == images:
                    traces = tracemalloc.take_snapshot().filter_traces([own])
                    sizes.append(sum(one.size for one in traces.statistics("filename")))
                yield state

        tracemalloc.start(6)
        tables.write_tables(out, watched, "key", Outputs(out))
        tracemalloc.stop()
        held[images] = max(sizes)
    assert (held[many] - held[few]) / (many - few) < 50


def test_more_shards_are_merged_than_a_process_may_open_files(tmp_path):
    resource = pytest.importorskip("resource", reason="the system has no such limit")
    names, states = simulated(tmp_path, 90, 90)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The least number that a file can have now, and some more.
    with Path(os.devnull).open() as free:
        resource.setrlimit(resource.RLIMIT_NOFILE, (free.fileno() + 20, before[1]))
    try:
        assert [str(name) for name, _ in states()] == names
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
