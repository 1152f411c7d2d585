"""``beadctl train`` below the command line: quick audit of the tiles, the run with its table, the result."""

from pathlib import Path

from beadctl.audit.spot_check import spot_check
from beadctl.console import Messages
from beadctl.console.stopping import stoppable
from beadctl.dataset import manifest
from beadctl.errors import ExitCode
from beadctl.images import ReadOptions
from beadctl.losses import Loss
from beadctl.training import live
from beadctl.training.device import resolve
from beadctl.training.loop import train
from beadctl.training.options import TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.start import Start


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
    """Train into a folder and say how it went; a first Ctrl-C or SIGTERM ends the run in good order.

    Returns ``INTERRUPTED`` or ``TERMINATED`` where a signal ended the run, else ``DONE``.

    Parameters
    ----------
    plan, out, tiles, start, options
        As `beadctl.training.loop.train` takes them, which raises the errors; `out` is the folder of the run.
    messages : Messages
        Takes progress and result.
    """
    if tiles and not options.resume:
        samples = manifest.samples(manifest.read_manifest(tiles))
        spot_check(samples, ReadOptions(), messages, f"beadctl audit {tiles}")
    origin = f", from {start.source}" if start and not options.resume else ""
    messages.info(f"training on {resolve(options.device)} into {out}{origin}")
    with stoppable() as stop, live.table(plan, messages.verbosity) as shown:
        callbacks = TrainCallbacks(shown.epoch, shown.step, stop.made)
        result = train(plan, out, tiles=tiles, start=start, options=options, callbacks=callbacks)
    if result.record and result.best:
        messages.info(
            f"{result.stopped} after {result.epochs} epochs on {result.device}; best validation Jaccard "
            f"{result.record.val_jaccard:.4f} in epoch {result.record.epoch}: {result.best}"
        )
    if result.stopped == "interrupted":
        messages.info(f"resume with the same command and --resume; export with: beadctl export {out}")
        return stop.exit_code
    return ExitCode.DONE
