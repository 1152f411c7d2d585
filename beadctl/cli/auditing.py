"""What `audit` and the merge of its shards have in common."""

import contextlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from beadctl import cpus, lock
from beadctl.annotations.sample import Sample
from beadctl.audit import page, shards, table
from beadctl.audit.detector import bead_detector
from beadctl.audit.order import PairOrder
from beadctl.audit.run import AuditedSample, Checked, check_pairs, compared
from beadctl.cli.arguments import (
    described,
    pairing_rule,
    plain,
    read_options,
    segment_options,
    session,
)
from beadctl.cli.settings import Settings
from beadctl.cli.workers import entered, network_order, shared_among
from beadctl.console import Form, Messages, print_rows
from beadctl.dataset.samples import find_samples
from beadctl.errors import ExitCode, OutputError, SettingsError
from beadctl.images import ReadOptions
from beadctl.model.session import Model
from beadctl.results.shards import Part
from beadctl.results.sources import ByNetwork
from beadctl.shard import Shard

# Settings that decide what is found of a pair.
SECTIONS = ("data", "images", "instances")


def samples(settings: Settings, images: Path, masks: Path | None, messages: Messages) -> Sequence[Sample]:
    """Return the pairs of two folders, or the tiles of one."""
    rule = pairing_rule(settings)
    if not settings.cluster.workers:
        return find_samples(images, masks, rule, messages)
    # What reads a mask is sent to workers, which run in another folder.
    found = find_samples(images.absolute(), masks and masks.absolute(), rule, messages)
    return [
        replace(one, image=_as_given(one.image, images), truth=_as_given(one.truth, masks or images))
        for one in found
    ]


def _as_given(path: Path, folder: Path) -> Path:
    """Return the path of a file below a folder, or of the folder, as the user named that."""
    return folder / path.relative_to(folder.absolute())


def part(
    samples: Sequence[Sample], text: str | None, out: Path | None, fix: Path | None, messages: Messages
) -> Part | None:
    """Return the pairs of a shard, and print which it is; None where the work is not divided."""
    if text is None:
        return None
    if fix or out is None:
        what = (
            "leave out --fix, which needs all pairs" if fix else "give -o too, where beadctl merge finds all"
        )
        raise SettingsError(f"--shard {text}: {what}")
    found = shards.part_of(samples, Shard.parse(text))
    messages.info(str(found))
    return found


def checked(
    found: Sequence[Sample], settings: Settings, messages: Messages, *, find: bool
) -> tuple[list[Checked], Model | None]:
    """Check each pair by itself, here or by workers; return what was found, and the model if one was asked.

    Parameters
    ----------
    found, settings, messages
        The pairs, as `samples` returned them.
    find : bool
        Whether a model detects beads, to compare masks with.
    """
    reading = read_options(settings)
    network = _network(settings, messages) if find else None
    detector, workers = None, None
    with contextlib.ExitStack() as stack:
        where, threads = shared_among(settings, found, network.threads if network else cpus.usable_cpus())
        if where:
            asked = network_order(settings, network, where, threads) if network else None
            order = PairOrder(reading, asked)
            workers = entered(stack, where, order, settings, messages)
        if network and not workers:
            detector = bead_detector(network.model, network.options)
        advance = stack.enter_context(messages.progress(len(found), "auditing"))
        done = check_pairs(found, reading=reading, detector=detector, on_pair=advance, workers=workers)
    return done, network.model if network else None


def _network(settings: Settings, messages: Messages) -> ByNetwork:
    known = described(settings, messages) if settings.cluster.workers else None
    model, plan = session(settings, messages, known)
    return ByNetwork(model, segment_options(settings, model.facts, plan))


def keep(
    out: Path,
    part: Part,
    checked: Sequence[Checked],
    settings: Settings,
    images: Path,
    masks: Path | None,
    model: Model | None,
) -> ExitCode:
    """Write what a shard found, for the merge, which compares the pairs with one another."""
    sections = plain(settings)
    decisive = {name: sections[name] for name in SECTIONS}
    facts = {
        "images": str(images),
        "masks": masks and str(masks),
        "model_sha256": model and model.sha256,
        "settings": decisive | {"inference": {"diameter": settings.inference.diameter}},
    }
    shards.write(out, part, checked, facts)
    return ExitCode.DONE


def tell(
    audited: Sequence[AuditedSample], out: Path | None, reading: ReadOptions, form: Form, messages: Messages
) -> ExitCode:
    """Write the table and the page of an audit, and print its doubtful pairs."""
    if out:
        table.write(out / "audit.csv", audited)
        page.write(out / "audit.html", audited, reading)
    print_rows(form, ("image", "verdict", "worst_finding"), table.console_rows(audited))
    messages.info(table.summary(audited))
    return ExitCode.of(failed=table.any_bad(audited))


def merge(out: Path, messages: Messages) -> ExitCode:
    """Write the table and the page of all shards of an audit."""
    whole = shards.AuditShards.of(out)
    try:
        settings = Settings(**whole.facts["settings"])
    except (ValidationError, TypeError):
        raise OutputError(f"{out}: the settings of its shards cannot be read; run them again") from None
    masks = whole.facts["masks"]
    with lock.held(out, messages.info):
        found = samples(settings, Path(whole.facts["images"]), Path(masks) if masks else None, messages)
        reading = read_options(settings)
        audited = compared(found, whole.checked(found), reading)
        return tell(audited, out, reading, Form.AUTO, messages)
