"""Facts of the installation and of a model file, as rows of text."""

import dataclasses
import importlib.metadata
import json
import platform
from pathlib import Path

from beadctl import __version__
from beadctl.counting.detection import Band
from beadctl.cpus import usable_cpus
from beadctl.model.runtime import GPU_ADVICE, listed_devices, providers
from beadctl.model.session import DEFAULT_MODEL, Model, installed_builds
from beadctl.words import number_of

# Packages and, of optional ones, the extra that installs them.
PACKAGES = {
    **dict.fromkeys(("numpy", "scipy", "scikit-image", "tifffile", "imagecodecs"), ""),
    **dict.fromkeys(("torch", "onnx"), "train"),
    "openvino": "openvino",
}
UNKNOWN = "unknown"
# What takes the place of a joiner and of a reviewer.
NO_JOINER = "none: marker_threshold and marker_rise part touching beads"
NO_REVIEWER = "none: doubt is estimated from the range of the count over thresholds"


def describe_installation() -> list[tuple[str, str]]:
    """Return name and value of versions, execution providers, devices and the default model."""
    rows = [("beadctl", __version__), ("python", platform.python_version()), ("system", platform.platform())]
    builds = installed_builds()
    rows += list(builds.items())
    if len(builds) > 1:
        rows.append(
            ("warning", f"both builds of onnxruntime are installed and overwrite each other; {GPU_ADVICE}")
        )
    for package, extra in PACKAGES.items():
        try:
            rows.append((package, importlib.metadata.version(package)))
        except importlib.metadata.PackageNotFoundError:
            rows.append((package, f'not installed (pip install "beadctl[{extra}]")'))
    default = f"{DEFAULT_MODEL.name} (in the package), {_mebibytes(DEFAULT_MODEL)}"
    return [
        *rows,
        ("providers", ", ".join(providers())),
        ("devices", ", ".join(listed_devices())),
        ("CPU threads", str(usable_cpus())),
        ("device auto is", Model(DEFAULT_MODEL).device),
        ("default model", default),
    ]


def describe_model(path: Path) -> list[tuple[str, str]]:
    """Return name and value of the facts of a model file; the entries of a nested one as ``fact.entry``.

    Raises
    ------
    ModelError
        If it cannot be used.
    """
    model = Model(path, "cpu")
    rows = [("sha256", model.sha256), ("size", _mebibytes(path))]
    for name, value in dataclasses.asdict(model.facts).items():
        if name == "bands":
            rows += [_band(band) for band in model.facts.bands] or [(name, "none")]
        elif name == "classifier":
            by = model.facts.classifier
            least = by and f"{by.least:g} at least, {by.least_in_plane:g} in its plane"
            rows.append((name, least or "none"))
        elif name == "joiner":
            joiner = model.facts.joiner
            words = f"touching regions from a probability of {joiner.least:g} on" if joiner else NO_JOINER
            rows.append((name, words))
        elif name == "reviewer":
            rows.append((name, "estimates the doubt about counts" if model.facts.reviewer else NO_REVIEWER))
        elif isinstance(value, dict):
            # A setting that was left out, such as a limit of time, is none; a fact may be unknown.
            absent = "none" if name == "training" else UNKNOWN
            rows += [(f"{name}.{key}", _text(item, absent)) for key, item in value.items()]
        else:
            rows.append((name, _text(value)))
    return rows


def _band(band: Band) -> tuple[str, str]:
    """Return the figures of a band as a row."""
    figures = (
        f"{what} {share:.3f} ({ends.low:.3f} to {ends.high:.3f})"
        for what, share, ends in (
            ("precision", band.precision, band.precision_interval),
            ("recall", band.recall, band.recall_interval),
        )
    )
    fields = number_of(band.fields, "field")
    return f"band {band}", f"{', '.join(figures)}, widening {band.widening:g}, {fields}"


def _mebibytes(path: Path) -> str:
    return f"{path.stat().st_size / 2**20:.2f} MiB"


def _text(value: object, absent: str = UNKNOWN) -> str:
    if value is None:
        return absent
    return value if isinstance(value, str) else json.dumps(value)
