"""Devices and precisions."""

from dataclasses import replace

import pytest
import torch
from helpers.training import TINY, go, one_line

from beadctl.errors import DeviceError
from beadctl.training import device
from beadctl.training.options import TrainOptions, among


def test_devices():
    assert device.resolve("cpu") == torch.device("cpu")
    assert device.resolve("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for name in ("tpu", "cuda:x", "mps"):
        with pytest.raises(DeviceError, match="cuda:N") as error:
            device.resolve(name)
        one_line(error)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
@pytest.mark.parametrize("name", ["cuda", "cuda:1"])
def test_a_missing_gpu_is_an_error(tiles, tmp_path, name):
    with pytest.raises(DeviceError, match=name) as error:
        go(TINY, tiles, tmp_path / "run", device=name)
    one_line(error)


@pytest.mark.parametrize(("gpus", "auto"), [(0, ["auto"] * 3), (2, ["cuda:0", "cuda:1", "cuda:0"])])
def test_trainings_apart_from_one_another_take_the_gpus_in_turn(monkeypatch, gpus, auto):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    chosen = [
        [among(TrainOptions(device=name), number, 3).device for number in range(3)]
        for name in ("auto", "cuda", "cuda:1")
    ]
    assert chosen == [auto, ["cuda:0", "cuda:1", "cuda:2"], ["cuda:1"] * 3]
    assert among(TrainOptions(device="auto"), 0, 1).device == "auto"


@pytest.mark.parametrize(
    ("capabilities", "emulated"),
    [
        ({"architecture": "x86_64", "avx2": True, "avx512_bf16": False, "amx_bf16": False}, True),
        ({"architecture": "x86_64", "avx512_bf16": True}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_a_cpu_without_bf16_is_told(monkeypatch, capabilities, emulated):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    cpu = torch.device("cpu")
    assert device.is_emulated("bf16", cpu) == emulated
    assert not device.is_emulated("fp32", cpu)
    assert not device.is_emulated("auto", cpu)


def test_precision():
    cpu = torch.device("cpu")
    assert [device.arithmetic(p, cpu) for p in ("auto", "fp32", "bf16")] == [
        torch.float32,
        torch.float32,
        torch.bfloat16,
    ]
    with pytest.raises(DeviceError, match="fp16") as error:
        device.arithmetic("fp16", cpu)
    one_line(error)


def test_half_precision_trains_to_nearly_the_same_loss(tiles, tmp_path):
    plan = replace(TINY, epochs=2, steps_per_epoch=6, dropout=0.0)
    full = go(plan, tiles, tmp_path / "full").record
    half = go(replace(plan, precision="bf16"), tiles, tmp_path / "half").record
    assert half.train_loss == pytest.approx(full.train_loss, rel=0.1)
    assert half.train_loss != full.train_loss
