"""``beadctl train`` below the command line: quick audit of the tiles, the run with its table, the result."""

from collections.abc import Callable
from pathlib import Path

from beadctl import lock
from beadctl.audit.spot_check import spot_check
from beadctl.console import Messages
from beadctl.console.stopping import stoppable
from beadctl.dataset import manifest
from beadctl.errors import ExitCode
from beadctl.images import ReadOptions
from beadctl.losses import Loss
from beadctl.model.metadata import USEFUL_F1
from beadctl.training import live
from beadctl.training.device import is_emulated, resolve
from beadctl.training.loop import train
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.records import EpochRecord, RunResult
from beadctl.training.run_folder import CURVE
from beadctl.training.start import Start

# Validation F1 from which a model is called good.
GOOD_F1 = 0.8

# Sizes by the tiles are multiples of this: of the stride of every network up to depth 5.
SIZE_STEP_PX = 16


def sample_size(tiles: Path, asked: int | None, depth: int, messages: Messages) -> int:
    """Return the edge of a training sample, px: as asked for, else as large as the tiles.

    Parameters
    ----------
    tiles : Path
        Folder that ``beadctl tile`` wrote.
    asked : int or None
        The setting; None where it is left to the tiles.
    depth : int
        Of the network, whose stride the size is a multiple of.
    messages : Messages
        Says the size where it was not asked for, and warns of one larger than the tiles.
    """
    largest = manifest.tile_size(manifest.read_manifest(tiles))
    if asked:
        if largest and asked > largest:
            messages.warn(
                f"--size {asked} is larger than the tiles in {tiles} ({largest} px): the rest of a sample is"
                " mirrored, takes time, and does not count; leave --size out"
            )
        return asked
    step = max(SIZE_STEP_PX, 1 << (depth - 1))
    size = max(step, largest // step * step)
    messages.info(f"samples of {size} px, by the tiles in {tiles}; --size states another size")
    return size


def default_folder(loss: Loss, size: int) -> Path:
    """Return the folder of a run where none is given: ``runs/<loss>-<size>``."""
    return Path("runs") / f"{loss.value}-{size}"


def learn(
    plan: TrainingPlan,
    out: Path,
    messages: Messages,
    *,
    tiles: Path | None,
    start: Start | None,
    options: TrainOptions,
) -> ExitCode:
    """Train into a folder and say how it went; a first Ctrl-C, SIGTERM or SIGUSR1 ends it in good order.

    Returns ``INTERRUPTED`` or ``TERMINATED`` where a signal ended the run, else ``DONE``.

    Parameters
    ----------
    plan, out, tiles, start, options
        As `beadctl.training.loop.train` takes them, which raises the errors; `out` is the folder of the run.
    messages : Messages
        Takes progress and result.
    """
    _say_start(plan, out, messages, tiles=tiles, start=start, options=options)
    with lock.held(out, messages.info), stoppable() as stop, live.table(plan, messages.verbosity) as shown:
        callbacks = TrainCallbacks(shown.epoch, shown.step, stop.made)
        result = train(plan, out, tiles=tiles, start=start, options=options, callbacks=callbacks)
    _say_end(result, plan, out, messages, tiles=tiles)
    if result.stopped == "interrupted":
        messages.info(f"resume with the same command and --resume; export with: beadctl export {out}")
        return stop.exit_code
    return ExitCode.DONE


def learn_quietly(
    plan: TrainingPlan,
    out: Path,
    messages: Messages,
    *,
    tiles: Path | None,
    start: Start | None,
    options: TrainOptions,
    on_epoch: Callable[[EpochRecord], object],
) -> RunResult:
    """Train into a folder as `learn` does, without its table, and leave signals to the caller.

    Parameters
    ----------
    plan, out, messages, tiles, start, options
        As for `learn`.
    on_epoch : callable
        Takes the record of every finished epoch.
    """
    _say_start(plan, out, messages, tiles=tiles, start=start, options=options)
    with lock.held(out, messages.info):
        callbacks = TrainCallbacks(on_epoch)
        result = train(plan, out, tiles=tiles, start=start, options=options, callbacks=callbacks)
    _say_end(result, plan, out, messages, tiles=tiles)
    return result


def _say_start(
    plan: TrainingPlan,
    out: Path,
    messages: Messages,
    *,
    tiles: Path | None,
    start: Start | None,
    options: TrainOptions,
) -> None:
    """Say what a run will train on, and warn of bad masks and slow arithmetic; parameters of `learn`."""
    if tiles and not options.resume:
        samples = manifest.samples(manifest.read_manifest(tiles))
        spot_check(samples, ReadOptions(), messages, f"beadctl audit {tiles}")
    origin = f", from {start.source}" if start and not options.resume else ""
    target = resolve(options.device)
    messages.info(f"training on {target} into {out}{origin}")
    if is_emulated(plan.precision, target):
        messages.warn("this CPU has no bf16: it is computed several times slower; use --precision fp32")


def _say_end(
    result: RunResult, plan: TrainingPlan, out: Path, messages: Messages, *, tiles: Path | None
) -> None:
    """Say how a run ended, and what its best epoch is worth."""
    if result.record and result.best:
        messages.info(
            f"{result.stopped} after {result.epochs} epochs on {result.device}; best validation "
            f"{result.record.figure(plan.select)} in epoch {result.record.epoch}: {result.best}"
        )
        _say_worth(result.record, plan, tiles, out, messages)


def _say_worth(
    record: EpochRecord, plan: TrainingPlan, tiles: Path | None, out: Path, messages: Messages
) -> None:
    """Say what the validation of the best epoch means for counting, and what to try if it is poor."""
    found = f"validation F1 of the beads {record.val_f1:.2f}, mean count error {record.count_mape:.0%}"
    advice = ["more --epochs", "more tiles", *([] if plan.start else ["--from default"]), "another --lr"]
    tries = f"try {', '.join(advice[:-1])} or {advice[-1]}"
    check = f", and check the masks with: beadctl audit {tiles}" if tiles else ""
    if not record.val_f1 >= USEFUL_F1:
        messages.warn(f"{found}: do not rely on counts of this model yet; {tries}; see {out / CURVE}{check}")
    elif record.val_f1 < GOOD_F1:
        messages.info(f"{found}: good for rough counts only; {tries}{check}")
    else:
        messages.info(f"{found}: good on these tiles; look at the overlays of other images too")
