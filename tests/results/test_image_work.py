"""An image whose planes are worked on in threads."""

import numpy as np
import pytest
import tifffile

from beadctl.errors import BeadctlError, Interrupted
from beadctl.images import find
from beadctl.model.session import Model
from beadctl.results.image_work import ImageWork
from beadctl.results.sources import ByNetwork
from beadctl.segmentation.options import SegmentOptions


def test_an_image_that_begins_when_the_run_was_given_up_has_not_failed(model_path, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), np.uint8))
    (item,) = find([tmp_path])
    model = Model(model_path, "cpu", 1)
    work = ImageWork(ByNetwork(model, SegmentOptions.of(model.facts)), (), keyed=False)
    work.give_up()
    with pytest.raises(Interrupted):
        work.begin(item)


def test_an_image_that_begins_where_no_thread_can_start_has_not_failed(model_path, tmp_path, monkeypatch):
    def refused(_):
        raise RuntimeError("can't start new thread")

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16), np.uint8))
    (item,) = find([tmp_path])
    model = Model(model_path, "cpu", 1)
    work = ImageWork(ByNetwork(model, SegmentOptions.of(model.facts)), (), keyed=False)
    monkeypatch.setattr("threading.Thread.start", refused)
    with pytest.raises(BeadctlError, match=r"^can't start new thread; is a limit of processes"):
        work.begin(item)
