"""Devices of processes that share a computer."""

import onnxruntime
import pytest

from beadctl.errors import DeviceError
from beadctl.files import sha256
from beadctl.model import runtime
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.results.orders import NetworkOrder
from beadctl.segmentation.options import SegmentOptions


@pytest.fixture
def two_gpus(monkeypatch):
    """Two of CUDA, of which the CPU does the work."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    on_cpu = runtime._on_cpu

    def on_provider(path, device, threads):
        if device not in ("cuda:0", "cuda:1"):
            raise DeviceError(f"--device {device}: invalid device ordinal; use --device cpu")
        return on_cpu(path, threads)[0], device

    monkeypatch.setattr(runtime, "_on_provider", on_provider)


def order(device, sharing):
    options = SegmentOptions.of(Model(DEFAULT_MODEL, "cpu").facts)
    return NetworkOrder(None, sha256(DEFAULT_MODEL), device, 1, None, None, sharing, options)


def test_processes_take_the_gpus_in_turn(two_gpus):
    devices = [order("auto", 4).open(number).model.device for number in range(4)]
    assert devices == ["cuda:0", "cuda:1", "cuda:0", "cuda:1"]
    assert order("auto", 1).open(0).model.device == "cuda:0"


def test_more_processes_than_gpus_of_their_own_are_told_how_many_there_may_be(two_gpus):
    assert [order("cuda", 3).open(number).model.device for number in range(2)] == ["cuda:0", "cuda:1"]
    with pytest.raises(DeviceError, match="give --cluster local:2, or --device cuda:0 for all"):
        order("cuda", 3).open(2)
    assert order("cuda:0", 3).open(2).model.device == "cuda:0"
