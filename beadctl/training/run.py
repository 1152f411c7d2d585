"""``beadctl train`` below the command line: quick audit of the tiles, the run with its table, the result."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from beadctl import lock
from beadctl.audit.spot_check import spot_check
from beadctl.console import Messages
from beadctl.console.stopping import stoppable
from beadctl.dataset import manifest
from beadctl.errors import ExitCode
from beadctl.images import ReadOptions
from beadctl.model.metadata import USEFUL_F1
from beadctl.training import live, summary
from beadctl.training.device import is_emulated, resolve
from beadctl.training.events import event_file
from beadctl.training.options import TrainCallbacks
from beadctl.training.preparation import Prepared
from beadctl.training.records import EpochRecord, RunResult, StepRecord
from beadctl.training.run_folder import CURVE
from beadctl.training.train import train
from beadctl.training.worth import tell_worth
from beadctl.words import number_of

# Validation F1 from which a model is called good.
GOOD_F1 = 0.8


def learn(run: Prepared, messages: Messages) -> ExitCode:
    """Train into a folder and say how it went; a first Ctrl-C, SIGTERM or SIGUSR1 ends it in good order.

    Returns ``INTERRUPTED`` or ``TERMINATED`` where a signal ended the run, else ``DONE``.

    Parameters
    ----------
    run : Prepared
        The run; errors are those of `beadctl.training.train.train`.
    messages : Messages
        Takes progress and result.
    """
    _check_tiles(run, messages)
    say_start(run, messages)
    with stoppable() as stop:
        result = learn_shown(run, messages, stop.made)
    say_end(result, run, messages)
    if result.stopped == "interrupted":
        messages.info(f"resume with the same command and --resume; export with: beadctl export {run.out}")
        return stop.error.exit_code
    if result.best and run.options.world.leads:
        summary.show(run.out, messages)
        tell_worth(run, result.best, messages)
    return ExitCode.DONE


def learn_shown(run: Prepared, messages: Messages, should_stop: Callable[[], bool]) -> RunResult:
    """Train into a folder with a live table of the epochs, until `should_stop` answers True."""
    with _held(run, messages), live.table(run.plan, messages.verbosity) as shown:
        return _trained(run, TrainCallbacks(shown.epoch, shown.step, should_stop))


def learn_quietly(run: Prepared, messages: Messages, on_epoch: Callable[[EpochRecord], object]) -> RunResult:
    """Train into a folder as `learn` does, without its table, and leave signals to the caller.

    Parameters
    ----------
    run, messages
        As for `learn`.
    on_epoch : callable
        Takes the record of every finished epoch.
    """
    _check_tiles(run, messages)
    say_start(run, messages)
    with _held(run, messages):
        result = _trained(run, TrainCallbacks(on_epoch))
    say_end(result, run, messages)
    return result


def _held(run: Prepared, messages: Messages) -> AbstractContextManager[object]:
    """Hold the folder of a run, in the process that writes it."""
    return lock.held(run.out, messages.info) if run.options.world.leads else nullcontext()


def _trained(run: Prepared, callbacks: TrainCallbacks) -> RunResult:
    with event_file(run.out, wanted=run.options.tensorboard and run.options.world.leads) as events:

        def on_epoch(record: EpochRecord) -> None:
            events.epoch(record)
            callbacks.on_epoch(record)

        def on_step(record: StepRecord) -> None:
            events.step(record)
            callbacks.on_step(record)

        return train(
            run.plan,
            run.out,
            tiles=run.tiles,
            start=run.start,
            options=run.options,
            callbacks=replace(callbacks, on_epoch=on_epoch, on_step=on_step),
        )


def _check_tiles(run: Prepared, messages: Messages) -> None:
    """Warn of bad masks among the tiles of a new run."""
    if run.tiles and run.options.world.leads and not run.options.resume:
        samples = manifest.samples(manifest.read_manifest(run.tiles))
        spot_check(samples, ReadOptions(), messages, f"beadctl audit {run.tiles}")


def say_start(run: Prepared, messages: Messages) -> None:
    """Say what a run will train on, and warn of slow arithmetic."""
    world, plan = run.options.world, run.plan
    origin = f", from {run.start.source}" if run.start and not run.options.resume else ""
    target = resolve(run.options.device)
    each = f"{plan.group * world.size} samples a step,"
    among = f" in {world.size} processes, {each}" if world.size > 1 else ""
    messages.info(f"training on {target}{among} into {run.out}{origin}")
    if is_emulated(plan.precision, target):
        messages.warn("this CPU has no bf16: it is computed several times slower; use --precision fp32")


def say_end(result: RunResult, run: Prepared, messages: Messages) -> None:
    """Say how a run ended, and what its best epoch is worth."""
    if result.record and result.best:
        messages.info(
            f"{result.stopped} after {number_of(result.epochs, 'epoch')} on {result.device}; best validation "
            f"{result.record.figure(run.plan.select)} in epoch {result.record.epoch}: {result.best}"
        )
        _say_worth(result.record, run, messages)


def _say_worth(record: EpochRecord, run: Prepared, messages: Messages) -> None:
    """Say what the validation of the best epoch means for counting, and what to try if it is poor."""
    found = f"validation F1 of the beads {record.val_f1:.2f}, mean count error {record.count_mape:.0%}"
    advice = ["more --epochs", "more tiles", *([] if run.plan.start else ["--from default"]), "another --lr"]
    tries = f"try {', '.join(advice[:-1])} or {advice[-1]}"
    check = f", and check the masks with: beadctl audit {run.tiles}" if run.tiles else ""
    if not record.val_f1 >= USEFUL_F1:
        messages.warn(
            f"{found}: do not rely on counts of this model yet; {tries}; see {run.out / CURVE}{check}"
        )
    elif record.val_f1 < GOOD_F1:
        messages.info(f"{found}: good for rough counts only; {tries}{check}")
    else:
        messages.info(f"{found}: good on these tiles; look at the overlays of other images too")
