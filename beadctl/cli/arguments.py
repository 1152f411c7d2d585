"""Settings as the plain arguments that the packages below take."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beadctl.annotations.region import CountedRegion
from beadctl.cli.settings import Loaded, Settings, load
from beadctl.console import Messages
from beadctl.counting.manual import manual_counts
from beadctl.dataset.tiling import TilingOptions
from beadctl.files import name_text
from beadctl.images import Found, Limits, ReadOptions, Selection, search
from beadctl.model.metadata import ModelFacts
from beadctl.model.session import Model, open_model
from beadctl.results.groups import Grouping
from beadctl.segmentation.options import SegmentOptions


def read_options(settings: Settings) -> ReadOptions:
    """Return how image files are read."""
    data, limits = settings.data, Limits(**settings.images.model_dump())
    return ReadOptions(data.axes, data.channel, data.plane, data.pixel_size, data.series, limits)


def images(settings: Settings, inputs: Sequence[Path], messages: Messages) -> tuple[Found, ...]:
    """Return the images in files, folders and lists of files, and print what is left out."""
    data = settings.data
    # A mask image that is the region may lie beside the images.
    regions = [Path(text) for text in (data.region, data.region_exclude) if text]
    found = search(inputs, regions, Selection(data.include, data.exclude, data.recursive))
    messages.notes(found.notes())
    return found.images


def session(settings: Settings, messages: Messages) -> Model:
    """Open the model file, and print the device that runs it."""
    inference = settings.inference
    return open_model(inference.model, inference.device, inference.threads, messages)


def segment_options(
    settings: Settings,
    facts: ModelFacts,
    region: CountedRegion | None = None,
    counting_frame: str | None = None,
) -> SegmentOptions:
    """Return how planes become beads: as the settings say, else as the model file says."""
    return SegmentOptions.of(
        facts,
        settings.instances.model_dump(),
        read=read_options(settings),
        diameter=settings.inference.diameter,
        tile_size=settings.inference.tile_size,
        region=region,
        counting_frame=counting_frame,
    )


def counting_options(settings: Settings, facts: ModelFacts) -> SegmentOptions:
    """Return how planes become beads, and in which part of them these are counted."""
    data = settings.data
    region = CountedRegion.of(data.region, data.region_exclude)
    return segment_options(settings, facts, region, data.counting_frame)


def grouping(settings: Settings, images: Sequence[Found], messages: Messages) -> Grouping | None:
    """Return which images are a group of fields, if any, and print what belongs to none."""
    groups = Grouping.of(images, **settings.counting.model_dump(exclude={"manual"}))
    if groups:
        messages.notes(groups.notes(images))
    return groups


def manual(settings: Settings, images: Sequence[Found]) -> dict[tuple[str, int], int]:
    """Return the manual counts of planes, if there are any."""
    path = settings.counting.manual
    return manual_counts([name_text(item.name) for item in images], path) if path else {}


def tile_options(settings: Settings) -> TilingOptions:
    """Return how images become tiles."""
    data = settings.data
    return TilingOptions(
        data.size,
        **settings.tile.model_dump(exclude={"only"}),
        seed=data.seed,
        read=read_options(settings),
        annotated=f"{data.annotations}, {data.centre_diameter}",
    )


def plain(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return every setting by section, as plain values for a record of the run."""
    return settings.model_dump(mode="json")


def train_setting(loaded: Loaded, name: str, value: str) -> Any:
    """Return a value of the section [train] from text, checked as its flag would be."""
    return getattr(load(loaded.config, {**loaded.flags, f"train.{name}": value}).settings.train, name)
