"""Which device training runs on, and in which arithmetic. Nothing falls back in silence."""

from __future__ import annotations

import torch

from beadctl.errors import DeviceError


def resolve(device: str) -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` into a device that is there.

    Raises
    ------
    DeviceError
        If CUDA was asked for and cannot be had, or the name is unknown.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        wanted = torch.device(device)
    except RuntimeError:
        wanted = torch.device("meta")
    if wanted.type == "cpu":
        return wanted
    if wanted.type != "cuda":
        raise DeviceError(f"device {device!r} is unknown; use auto, cpu, cuda or cuda:N")
    if not torch.cuda.is_available():
        raise DeviceError(f"{device} was asked for but this torch finds no CUDA device; use --device cpu")
    if (wanted.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"{device} was asked for but the last one is cuda:{torch.cuda.device_count() - 1}")
    return wanted


def arithmetic(precision: str, device: torch.device) -> torch.dtype:
    """Turn ``auto``, ``fp32``, ``bf16`` or ``fp16`` into the dtype of the convolutions.

    ``auto`` is full precision on a CPU, where results then repeat on any machine of the kind, and the
    half precision that the GPU knows on CUDA.

    Raises
    ------
    DeviceError
        If the device cannot compute so.
    """
    if precision == "auto":
        if device.type == "cpu":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if precision == "fp16" and device.type == "cpu":
        raise DeviceError("precision fp16 needs a GPU; use fp32, or bf16 where the CPU has it")
    return {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]
