"""What `audit` and the merge of its shards have in common."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from beadctl import lock
from beadctl.annotations.sample import Sample
from beadctl.audit import page, shards, table
from beadctl.audit.run import AuditedSample, Checked, compared
from beadctl.cli.arguments import plain, read_options
from beadctl.cli.settings import Settings
from beadctl.console import Form, Messages, print_rows
from beadctl.dataset.samples import find_samples
from beadctl.errors import ExitCode, OutputError, SettingsError
from beadctl.images import ReadOptions
from beadctl.model.session import Model
from beadctl.results.shards import Part
from beadctl.shard import Shard

# Settings that decide what is found of a pair.
SECTIONS = ("data", "images", "instances")


def samples(settings: Settings, images: Path, masks: Path | None, messages: Messages) -> Sequence[Sample]:
    """Return the pairs of two folders, or the tiles of one."""
    data = settings.data
    return find_samples(images, masks, data.annotations, data.centre_diameter, data.pair, messages)


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
