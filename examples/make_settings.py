"""Write examples/beadctl.toml: every setting with its meaning, its bounds and its default.

Usage: python examples/make_settings.py [FILE]
"""

import argparse
from enum import Enum
from pathlib import Path

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from beadctl.cli.settings import Settings, section_of, toml_value

HEAD = """\
# Settings of beadctl. Copy this file as beadctl.toml to where you work, or name it with --config FILE.
# A flag, or BEADCTL_<SECTION>__<FIELD> in the environment, overrides it. Each setting is commented out and
# shows its default, or an example where it has none; remove the # to change a value.
"""
# Values for the settings that are unset by default.
EXAMPLES: dict[str, object] = {
    "data.axes": "ZYX",
    "data.channel": 1,
    "data.plane": 0,
    "data.series": 0,
    "data.region": "0,0,640,480",
    "data.region_exclude": "scale_bar.roi",
    "data.counting_frame": "20px",
    "data.project": "max",
    "data.pair": r"([^/]+)_(?:raw|labels)\.tif$",
    "data.pixel_size": 0.65,
    "data.centre_diameter": 10.0,
    "tile.overlap": 64,
    "tile.group_by": "^[^_]+",
    "tile.only": "names.txt",
    "train.start": "default",
    "export.blend": "default",
    "train.max_minutes": 60.0,
    "train.lr": 0.001,
    "train.workers": 4,
    "train.steps_per_epoch": 100,
    "loss.weights": [0.7, 0.3],
    "loss.ramp_from": [0.5, 0.5],
    "inference.model": "bead.onnx",
    "inference.diameter": "12px",
    "inference.threads": 4,
    "inference.tile_size": 1024,
    "inference.max_memory": "2G",
    "instances.threshold": 0.5,
    "instances.marker_threshold": 0.5,
    "instances.marker_rise": 0.07,
    "instances.min_confidence": 0.3,
    "instances.min_area": "6px",
    "instances.max_area": "800um2",
    "instances.min_circularity": 0.7,
    "instances.min_diameter": "9px",
    "instances.max_diameter": "20um",
    "counting.group_by": "(?P<sample>[A-Z]+)_(?P<dilution>[0-9]+)x",
    "counting.sample_sheet": "samples.csv",
    "counting.depth_um": "100+-2",
    "counting.dilution": "10",
    "counting.manual": "manual.csv",
    "counting.nominal_um": 1.0,
    "counting.tolerance": "5%",
    "cluster.workers": "local:4",
    "cluster.tls_ca": "ca.pem",
    "cluster.tls_cert": "cert.pem",
    "cluster.tls_key": "key.pem",
    "output.out_dir": "results",
}
WORDS = {Ge: ("ge", "at least"), Gt: ("gt", "above"), Le: ("le", "at most"), Lt: ("lt", "below")}


def bounds(info: FieldInfo) -> str:
    """Return the bounds or choices of a setting in words, or nothing."""
    kind = info.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "one of " + ", ".join(member.value for member in kind)
    limits = [(WORDS[type(bound)], bound) for bound in info.metadata if type(bound) in WORDS]
    return ", ".join(f"{words} {getattr(bound, name):g}" for (name, words), bound in limits)


def compose() -> str:
    """Return the text of the file."""
    lines = [HEAD.rstrip()]
    for section in Settings.model_fields:
        kind = section_of(section)
        lines += ["", f"# {(kind.__doc__ or '').strip()}", f"[{section}]"]
        defaults = kind().model_dump(mode="json")
        for field, info in kind.model_fields.items():
            limits = bounds(info)
            meaning = (info.description or "").removesuffix(".")
            lines.append(f"# {meaning}; {limits}." if limits else f"# {meaning}.")
            value = defaults[field]
            shown = EXAMPLES[f"{section}.{field}"] if value is None else value
            lines.append(
                f"#{field} = {toml_value(shown)}" + ("  # unset by default" if value is None else "")
            )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write the settings file that shows every default.")
    parser.add_argument("file", type=Path, nargs="?", default=Path(__file__).with_name("beadctl.toml"))
    parser.parse_args().file.write_text(compose(), encoding="utf-8", newline="\n")
