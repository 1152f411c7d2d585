"""Settings as the plain arguments that the packages below take."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from beadctl import scratch
from beadctl.annotations.region import CountedRegion
from beadctl.annotations.sample import Sample
from beadctl.cli.sections import Counting
from beadctl.cli.settings import Loaded, Settings
from beadctl.console import Messages
from beadctl.dataset.tiling import TilingOptions, overlap_px
from beadctl.errors import OutputError, SettingsError
from beadctl.images import Found, Limits, ReadOptions, Selection, search, search_labels
from beadctl.memory import MemoryPlan
from beadctl.model.metadata import ModelFacts
from beadctl.model.session import Model, open_model
from beadctl.report import require_packages
from beadctl.results.merge import Shards
from beadctl.results.outputs import Outputs
from beadctl.results.shards import Part
from beadctl.results.sources import ByLabels, ByNetwork
from beadctl.results.stored import opened
from beadctl.results.summary import Statistics
from beadctl.segmentation.count_rule import CountRule
from beadctl.segmentation.options import SegmentOptions
from beadctl.shard import Shard
from beadctl.url import shown

if TYPE_CHECKING:
    from beadctl.annotations.pairing import PairingRule

# Settings of `instances` by which maps of a network become beads.
OF_THE_NETWORK = tuple(
    f"instances.{name}" for name in ("threshold", "marker_threshold", "marker_rise", "min_confidence")
)
# Of the settings of the network, what label images obey too.
THREADS = "inference.threads"


def read_options(settings: Settings) -> ReadOptions:
    """Return how image files are read."""
    data, limits = settings.data, Limits(**settings.images.model_dump())
    asked = data.axes, data.channel, data.plane, data.pixel_size, data.series, data.project
    return ReadOptions(*asked, limits)


def images(settings: Settings, inputs: Sequence[Path], messages: Messages) -> tuple[Found, ...]:
    """Return the images in files, folders and lists of files, and print what is left out."""
    data = settings.data
    found = search(inputs, regions(settings), Selection(data.include, data.exclude, data.recursive))
    messages.notes(found.notes())
    return found.images


def counted_images(
    settings: Settings,
    inputs: Sequence[Path] | None,
    labels: Sequence[Path] | None,
    messages: Messages,
) -> tuple[Found, ...]:
    """Return the images in files and folders, or the label images, and print what is left out."""
    if bool(inputs) == bool(labels):
        what = "give images, or label images of another program with --labels"
        raise SettingsError(f"{what}{', not both' * bool(inputs)}; see beadctl count --help")
    if inputs:
        return images(settings, inputs, messages)
    data = settings.data
    selection = Selection(data.include, data.exclude, data.recursive)
    found = search_labels(labels or (), regions(settings), selection)
    messages.notes(found.notes())
    return found.images


def regions(settings: Settings) -> list[Path]:
    """Return the files of regions: a mask image that is one may lie beside the images."""
    return [Path(text) for text in (settings.data.region, settings.data.region_exclude) if text]


def stated(loaded: Loaded) -> dict[str, Any]:
    """Return who made a model, and its name and licence where they were asked for."""
    export, origins = loaded.settings.export, loaded.origins
    asked = {
        name: getattr(export, name) for name in ("name", "licence") if origins[f"export.{name}"] != "default"
    }
    return {"authors": export.authors, **asked}


def session(settings: Settings, messages: Messages, model: Model | None = None) -> tuple[Model, MemoryPlan]:
    """Open the model file, and print the device that runs it; or take one that is open already.

    With it comes the tile size, and what is kept in memory: planned once a run, as free memory changes.
    """
    inference = settings.inference
    model = model or open_model(inference.model, inference.device, inference.threads, messages)
    plan = MemoryPlan.of(inference.max_memory, inference.tile_size, network=model.bytes_a_pixel)
    scratch.keep_in_memory(plan.array_bytes)
    return model, plan


def described(settings: Settings, messages: Messages) -> Model:
    """Open the model file for its facts: a cluster runs it, on devices that this computer may lack."""
    return open_model(settings.inference.model, "cpu", 1, Messages(-1, messages.hear))


def segment_options(
    settings: Settings, facts: ModelFacts, plan: MemoryPlan, *, exclude_border: bool = False, **counted: Any
) -> SegmentOptions:
    """Return how planes become beads: as the settings say, else as the model file says.

    Beads at the border are left out only where that is said here: annotations hold them too.
    """
    return SegmentOptions.of(
        facts,
        settings.instances.model_dump() | {"exclude_border": exclude_border},
        read=read_options(settings),
        diameter=settings.inference.diameter,
        tile_size=plan.tile_size,
        **counted,
    )


def counted(settings: Settings, *, link_z: bool = False) -> dict[str, Any]:
    """Return which beads are counted, as `CountRule.of` takes it."""
    data = settings.data
    region = CountedRegion.of(data.region, data.region_exclude)
    return {"region": region, "counting_frame": data.counting_frame, "link_z": link_z}


def by_network(
    settings: Settings, messages: Messages, model: Model | None = None, *, link_z: bool = False
) -> ByNetwork:
    """Open the model file, which finds the beads, and print the device that runs it; unless it is open.

    For a cluster its facts are read alone.
    """
    if settings.cluster.workers:
        model = described(settings, messages)
    model, plan = session(settings, messages, model)
    asked = {**counted(settings, link_z=link_z), "exclude_border": settings.instances.exclude_border}
    return ByNetwork(model, segment_options(settings, model.facts, plan, **asked))


def source(loaded: Loaded, labels: Sequence[Path] | None, messages: Messages) -> ByNetwork | ByLabels:
    """Return where the beads come from: label images if there are any, else the network."""
    if labels:
        return by_labels(loaded)
    return by_network(loaded.settings, messages, link_z=loaded.settings.counting.link_z)


@contextlib.contextmanager
def stored(outputs: Outputs, part: Part | None, messages: Messages) -> Iterator[Outputs]:
    """Yield where results go: those at an address are made in a temporary folder, and sent there."""
    if outputs.folder is None:
        yield outputs
        return
    parts = [item.name for item in part.found] if part else None
    with opened(outputs.folder, messages, parts=parts, shard=part.shard if part else None) as (folder, store):
        yield replace(outputs, folder=folder, stored=store)


def by_labels(loaded: Loaded) -> ByLabels:
    """Return how the beads of label images are counted; flags that only a network obeys are refused."""
    settings = loaded.settings
    flags = [key for key, origin in loaded.origins.items() if origin == "flag" and key != THREADS]
    if unused := [key for key in flags if key.startswith("inference.") or key in OF_THE_NETWORK]:
        flag = unused[0].partition(".")[2].replace("_", "-")
        raise SettingsError(f"--labels: no network finds the beads; leave out --{flag}")
    asked = counted(settings, link_z=settings.counting.link_z)
    rule = CountRule.of(settings.instances.model_dump(), **asked)
    return ByLabels(read_options(settings), rule, settings.inference.threads)


def part(images: Sequence[Found], shard: str | None, out: Path | None, messages: Messages) -> Part | None:
    """Return the images of a shard, and print which it is; None where the work is not divided."""
    if shard is None:
        return None
    if out is None:
        raise SettingsError(f"--shard {shard}: give -o too, a folder where beadctl merge finds all shards")
    found = Part.of(images, Shard.parse(shard))
    messages.info(str(found))
    return found


def reported(settings: Settings, part: Part | None, messages: Messages) -> bool:
    """Return whether the run is to write a report; a shard leaves it to the merge."""
    if not settings.output.report:
        return False
    require_packages()
    if part:
        messages.info("the report is of all shards: beadctl merge writes it")
    return part is None


def statistics(
    settings: Settings, images: Sequence[Found], messages: Messages, part: Part | None = None
) -> Statistics:
    """Return which statistics of the counts are asked for, and print what is left out of them.

    A shard leaves them to the merge, and only checks them.
    """
    asked = Statistics.of(images, **settings.counting.model_dump(exclude={"link_z"}))
    messages.notes(asked.notes(images))
    if part and asked != Statistics():
        messages.info("statistics are of all shards: beadctl merge writes them")
    return Statistics() if part else asked


def merged_statistics(shards: Shards, messages: Messages) -> Statistics:
    """Return which statistics of the counts of all shards were asked for."""
    try:
        settings = Settings(**shards.settings)  # type: ignore[arg-type]
    except ValidationError:
        raise OutputError(f"{shards.records[0].folder}: its settings cannot be read; run it again") from None
    counting = settings.counting.model_copy(update={"link_z": False})
    # The names of all images are needed for these alone.
    return statistics(settings, shards.found(), messages) if counting != Counting() else Statistics()


def tile_options(settings: Settings) -> TilingOptions:
    """Return how images become tiles."""
    data = settings.data
    return TilingOptions(
        data.size,
        overlap_px(data.size, settings.tile.overlap),
        **settings.tile.model_dump(exclude={"only", "overlap"}),
        seed=data.seed,
        read=read_options(settings),
        annotated=f"{data.annotations}, {data.centre_diameter}",
    )


def pairing_rule(settings: Settings) -> "PairingRule":
    """Return how annotations are read and paired with images."""
    from beadctl.annotations.pairing import PairingRule

    data = settings.data
    return PairingRule(data.annotations, data.centre_diameter, data.pair)


def annotated(
    settings: Settings, images: Path, masks: Path, reading: ReadOptions, messages: Messages
) -> Sequence[Sample]:
    """Return the annotated images of two folders, to cut tiles from, and warn of what looks wrong."""
    from beadctl.annotations.pairing import pair
    from beadctl.audit.spot_check import spot_check

    pairing = pair(images, masks, **vars(pairing_rule(settings)))
    pairing = pairing.only(settings.tile.only)
    pairing.report(messages.warn)
    spot_check(pairing.samples, reading, messages, f"beadctl audit {images} {masks}")
    return pairing.samples


def plain(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return every setting by section, as plain values for a record of the run."""
    plain: dict[str, dict[str, Any]] = settings.model_dump(mode="json")
    if out := settings.output.out_dir:
        plain["output"]["out_dir"] = shown(out)
    return plain
