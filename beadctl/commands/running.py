"""What ``segment``, ``count`` and ``eval`` share: from settings to a run of the pipeline, and its record."""

import contextlib
import dataclasses
import json
import platform
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from beadctl import __version__, calibration, console, evaluation, ledger, pipeline
from beadctl.annotations.pairing import pair
from beadctl.beads import COLUMNS as BEAD_COLUMNS
from beadctl.errors import OutputError, SettingsError
from beadctl.files import write_bytes, write_text
from beadctl.images import Found, find
from beadctl.inference import DEFAULT_MODEL, GPU_ADVICE, Model, installed_builds
from beadctl.ledger import Part, Row
from beadctl.scale import Diameter
from beadctl.settings import Loaded, Settings, to_toml
from beadctl.tiles import read_manifest
from beadctl.writers.table import SHOWN as SUMMARY
from beadctl.writers.table import cells

__all__ = ["SUMMARY", "Job", "exit_code", "opened", "recipe", "samples", "summary"]

# What a run writes at the top of its folder.
TABLES = ("counts.csv", "beads.csv", "run.json", "settings.toml")


@dataclass(frozen=True)
class Job:
    """Images, model, recipe and outputs of one run."""

    found: tuple[Found, ...]
    model: Model
    recipe: pipeline.Recipe
    outputs: pipeline.Outputs

    def finish(self, voice: console.Voice, on_row: Callable[[Row], None] = lambda _: None) -> list[Part]:
        """Run the pipeline over all images; the tables stand also after an interruption."""
        parts: list[Part] = []
        folder = self.outputs.folder
        try:
            # Closing the run waits for the image that is being written: it counts as finished.
            with (
                voice.progress(len(self.found), "segmenting") as progress,
                contextlib.closing(pipeline.run(self.found, self.model, self.recipe, self.outputs)) as run,
            ):
                for part in run:
                    parts.append(dataclasses.replace(part, beads=()))
                    for row in part.rows:
                        on_row(row)
                        if row.status == "failed":
                            console.fail(f"{row.image}: {row.reason}")
                    progress.advance(progress.task_ids[0])
        finally:
            if folder is not None:
                with _undisturbed():
                    _compose(folder, self, parts)
        return parts


@contextlib.contextmanager
def opened(
    inputs: Sequence[Path],
    loaded: Loaded,
    voice: console.Voice,
    *,
    folder: Path | None = None,
    with_masks: bool = False,
) -> Iterator[Job]:
    """Check all that can be checked before work starts, and leave a record of the run in `folder`."""
    settings = loaded.settings
    # Of results beside the images (-o IMAGES), at least the pictures are known not to be images.
    results = [folder, folder / "masks", folder / "overlays"] if folder else []
    found = tuple(find(inputs, exclude=results))
    outputs = pipeline.Outputs(
        folder, with_masks, with_masks and settings.output.overlays, settings.output.overwrite
    )
    model = open_model(settings, voice)
    job = Job(found, model, recipe(settings, model), outputs)
    pipeline.check_outputs(found, model, job.recipe, outputs)
    if folder and not (folder / ledger.FOLDER).exists():
        free_folder(folder, TABLES, settings.output.overwrite)
    record = {
        "beadctl": __version__,
        "python": platform.python_version(),
        "onnxruntime": installed_builds(),
        "host": platform.node(),
        "inputs": [str(path) for path in inputs],
        "images": len(found),
        "model": str(model.path),
        "model_sha256": model.sha256,
        "device_asked": settings.inference.device,
        "device_used": model.device,
        "threads": model.threads,
        "recipe": dataclasses.asdict(job.recipe),
        "settings": settings.model_dump(mode="json"),
        "start": _now(),
        "end": None,
        "outcome": "running",
    }
    if folder:
        # First of all what makes the folder one of ours, so that a rerun may replace the tables.
        write_text(folder / ledger.FOLDER / "version", __version__ + "\n")
        # Whoever runs again with these settings has not asked to overwrite again.
        output = settings.output.model_copy(update={"overwrite": False})
        write_text(folder / "settings.toml", to_toml(settings.model_copy(update={"output": output})))
    _record(folder, record)
    outcome = "stopped"
    try:
        yield job
        outcome = "finished"
    finally:
        with _undisturbed():
            _record(folder, record | {"end": _now(), "outcome": outcome})


def open_model(settings: Settings, voice: console.Voice) -> Model:
    """Open the model that the settings name, else the one in the package, and say where it runs."""
    builds = installed_builds()
    if len(builds) > 1:
        voice.warn(f"both builds of onnxruntime are installed and overwrite each other; {GPU_ADVICE}")
    model = Model(
        settings.inference.model or DEFAULT_MODEL, settings.inference.device, settings.inference.threads
    )
    voice.detail(f"model {model.path} ({model.facts.name}), sha256 {model.sha256[:12]}")
    voice.say(f"device {model.device}, {model.threads} CPU threads")
    return model


def recipe(settings: Settings, model: Model) -> pipeline.Recipe:
    """Return how planes become beads: what the settings say, else what the model file says."""
    facts, asked = model.facts, settings.instances
    return pipeline.Recipe(
        threshold=asked.threshold or facts.threshold,
        seed_threshold=asked.seed_threshold or facts.seed_threshold,
        min_area_px=asked.min_area or 1,
        seed_rise=asked.seed_rise or facts.seed_rise,
        min_confidence=facts.min_confidence if asked.min_confidence is None else asked.min_confidence,
        speck_px=0 if asked.min_area else facts.min_area_px,
        exclude_border=asked.exclude_border,
        axes=settings.data.axes,
        channel=settings.data.channel,
        plane=settings.data.plane,
        pixel_size_um=settings.data.pixel_size,
        diameter=Diameter.parse(settings.inference.diameter) if settings.inference.diameter else None,
        tile_size=settings.inference.tile_size,
    )


def samples(
    images: Path | None, masks: Path | None, settings: Settings, split: str, voice: console.Voice
) -> list[evaluation.Sample]:
    """Return what ``eval`` scores: annotated images where they are given, else one split of the tiles."""
    data = settings.data
    if images is None:
        return evaluation.samples_of_tiles(read_manifest(data.tiles), split, data.tiles)
    if masks is None:
        raise SettingsError(f"{images}: give the folder of its masks too, or neither to score the tiles")
    pairing = pair(images, masks, form=data.annotations, diameter_px=data.centre_diameter)
    pairing.tell(voice.warn)
    return evaluation.samples_of_pairs(pairing.pairs)


def calibrated(
    model: Model, samples: Sequence[evaluation.Sample], settings: Settings, out: Path, voice: console.Voice
) -> Model:
    """Write `model` to `out` with the numbers that suit the samples best, and open that."""
    free_folder(out.parent, (out.name,), settings.output.overwrite)
    if out.suffix != ".onnx":
        raise OutputError(f"{out}: a model file ends in .onnx; give --calibrate FILE.onnx")
    used = recipe(settings, model)
    with voice.progress(len(samples), "looking") as progress:
        seen = []
        for sample in samples:
            seen.append(evaluation.see(sample, model, used))
            progress.advance(progress.task_ids[0])
    start = calibration.Numbers(
        used.threshold,
        used.seed_threshold,
        used.seed_rise,
        used.min_confidence,
        model.facts.min_area_px,
    )
    with voice.progress(calibration.TRIES, "calibrating") as progress:
        found = calibration.calibrate(seen, start, lambda: progress.advance(progress.task_ids[0]))
    for name, value in dataclasses.asdict(found.numbers).items():
        voice.say(f"{name} = {value:g} (was {getattr(start, name):g})")
    validation = model.facts.validation | {
        "calibrated_on": len(seen),
        "calibrated_f1": found.fit.f1,
        "calibrated_count_error": found.fit.count_error,
    }
    facts = dataclasses.replace(model.facts, **dataclasses.asdict(found.numbers), validation=validation)
    write_bytes(out, facts.within(model.path.read_bytes()))
    return Model(out, settings.inference.device, settings.inference.threads)


def free_folder(folder: Path | None, names: Sequence[str], overwrite: bool) -> Path | None:
    """Return `folder` if none of `names` stands in it, or overwriting was asked for."""
    standing = [folder / name for name in names if folder and (folder / name).exists()]
    if standing and not overwrite:
        raise OutputError(f"{standing[0]}: stands there already; use --overwrite, or another -o")
    return folder


def write_evaluation(folder: Path, scored: Sequence[evaluation.Scored], result: str) -> None:
    """Write ``eval.csv``, one row an image, and ``eval.json``."""
    ledger.compose(folder / "eval.csv", evaluation.COLUMNS, (one.cells() for one in scored))
    write_text(folder / "eval.json", result + "\n")


def summary(parts: Sequence[Part]) -> list[list[str]]:
    """Return the rows of the summary table, and their sum last."""
    rows = [row for part in parts for row in part.rows]
    shown = [cells(row) for row in rows]
    if len(rows) > 1:
        total = str(sum(row.count or 0 for row in rows))
        shown.append([f"{len(rows)} planes", "", "", total, *[""] * (len(SUMMARY) - 4)])
    return shown


def exit_code(parts: Sequence[Part]) -> int:
    """Return 1 if any plane failed, else 0."""
    return 1 if any(part.failed for part in parts) else 0


def _compose(folder: Path, job: "Job", parts: Sequence[Part]) -> None:
    """Write counts.csv and beads.csv: this run's images, then what the same settings made of others."""
    told = {part.rows[0].image: part for part in parts}
    names = [str(item.name) for item in job.found]
    base = job.recipe.fingerprint(job.model)
    earlier = {name for name in ledger.images(folder) if ledger.recalled(folder, name)[0].startswith(base)}
    names += sorted(earlier.difference(names))

    def part_of(name: str) -> Part:
        if name in told:
            return told[name]
        if name in earlier and not (job.outputs.overwrite and name in names[: len(job.found)]):
            return ledger.recalled(folder, name)[1]
        return ledger.failed(PurePosixPath(name), "not reached: the run was stopped")

    def bead_rows() -> Iterator[Mapping[str, object]]:
        for name in names:
            # A failed plane has no beads, whatever stands from before it changed.
            done = {row.plane for row in part_of(name).rows if row.status != "failed"}
            if name in earlier and done:
                beads = ledger.recalled(folder, name)[1].beads
                yield from (bead for bead in beads if bead["plane"] in done)

    rows = (row.cells() for name in names for row in part_of(name).rows)
    ledger.compose(folder / "counts.csv", ledger.COLUMNS, rows)
    ledger.compose(folder / "beads.csv", ("image", "plane", *BEAD_COLUMNS), bead_rows())


def _record(folder: Path | None, record: dict[str, object]) -> None:
    if folder is not None:
        write_text(folder / "run.json", json.dumps(record, indent=2) + "\n")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Hold off a second signal while the tables of what is finished are written."""
    if sys.platform == "win32":
        yield
        return
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
