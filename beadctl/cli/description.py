"""What an installation, an image or a model is, as rows of words for people."""

import dataclasses
import importlib.metadata
import json
import platform
from pathlib import Path

from beadctl import __version__
from beadctl.devices import usable_cpus
from beadctl.images import ReadOptions, open_image
from beadctl.model.session import DEFAULT_MODEL, GPU_ADVICE, Model, installed_builds, providers

PACKAGES = ("numpy", "scipy", "scikit-image", "tifffile", "imagecodecs", "torch", "onnx")

Rows = list[tuple[str, str]]


def of_installation() -> Rows:
    """Describe the installation: versions, execution providers, devices, the default model."""
    rows = [("beadctl", __version__), ("python", platform.python_version()), ("system", platform.platform())]
    builds = installed_builds()
    rows += list(builds.items())
    if len(builds) > 1:
        rows.append(
            ("warning", f"both builds of onnxruntime are installed and overwrite each other; {GPU_ADVICE}")
        )
    for package in PACKAGES:
        try:
            rows.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            rows.append((package, 'not installed (pip install "beadctl[train]")'))
    rows += [("providers", ", ".join(providers())), ("CPU threads", str(usable_cpus()))]
    rows.append(("device auto is", Model(DEFAULT_MODEL).device))
    rows.append(
        (
            "default model",
            f"{DEFAULT_MODEL.name} (in the package), {DEFAULT_MODEL.stat().st_size / 2**20:.2f} MiB",
        )
    )
    return rows


def of_image(path: Path, options: ReadOptions) -> Rows:
    """Describe an image file, and what of it would be segmented; no pixel is decoded."""
    image = open_image(path, options)
    size = "unknown (give --pixel-size)" if image.pixel_size_um is None else f"{image.pixel_size_um:.6g} um"
    first = image.planes[0]
    return [
        ("axes", image.axes),
        ("shape", " x ".join(map(str, image.shape))),
        ("dtype", str(image.dtype)),
        ("pixel size", size),
        (
            "segmented",
            f"{len(image.planes)} plane(s) of {first.height} x {first.width} px, {image.conversion}",
        ),
    ]


def of_model(path: Path) -> Rows:
    """Describe a model file by the facts that it carries."""
    model = Model(path, "cpu")
    rows = [("sha256", model.sha256), ("size", f"{path.stat().st_size / 2**20:.2f} MiB")]
    for name, value in dataclasses.asdict(model.facts).items():
        if isinstance(value, dict):
            rows += [(f"{name}.{key}", _words(item)) for key, item in value.items()]
        else:
            rows.append((name, _words(value)))
    return rows


def _words(value: object) -> str:
    if value is None:
        return "unknown"
    return value if isinstance(value, str) else json.dumps(value)
