"""`train`: a run is prepared, described, and trained to its end."""

from dataclasses import asdict
from pathlib import Path

from beadctl.training import checkpoint, device, failure
from beadctl.training.dataset import training_data
from beadctl.training.heap import freed_blocks_kept
from beadctl.training.options import DEFAULT_OPTIONS, NO_CALLBACKS, TrainCallbacks, TrainOptions
from beadctl.training.plan import TrainingPlan
from beadctl.training.records import RunResult
from beadctl.training.run_folder import RunFolder, now
from beadctl.training.start import Start
from beadctl.training.training_run import TrainingRun


def train(
    plan: TrainingPlan,
    run_dir: Path,
    *,
    tiles: Path | None = None,
    start: Start | None = None,
    options: TrainOptions = DEFAULT_OPTIONS,
    callbacks: TrainCallbacks = NO_CALLBACKS,
) -> RunResult:
    """Train a network into a folder, and return how the run ended.

    Parameters
    ----------
    plan : TrainingPlan
        What is computed.
    run_dir : Path
        Folder of the run: ``best.pt``, ``last.pt``, ``history.csv``, ``run.json``, ``learning_curve.png``.
    tiles : Path, optional
        Folder that ``beadctl tile`` wrote; not needed when the plan simulates.
    start : Start, optional
        Weights to start from, those of `plan`; by default random ones. A resumed run has its own.
    options : TrainOptions
        Device, processes, resumption. Of several processes that train together, each calls this function.
    callbacks : TrainCallbacks
        Progress and early stop.

    Raises
    ------
    OutputError, ModelError
        If `run_dir` holds a run and `options.resume` is off, or the other way round.
    DeviceError
        If the device or the precision is not available.
    TrainingError, AnnotationError
        If the tiles cannot be used, the resumed run was another one, the loss is no longer finite, memory is
        too small, or a process is lost.
    ValueError
        If `plan` starts from something else than `start`.
    """
    if not options.resume and plan.start != (start.origin if start else None):
        raise ValueError(f"the plan starts from {plan.start}, not from what was given")
    folder = RunFolder(run_dir, resume=options.resume, writes=options.world.leads)
    target = device.resolve(options.device)
    with device.cpu_threads(options.threads) as threads, failure.told(folder):
        started = now()
        data = training_data(plan, tiles)
        run = TrainingRun(plan, data, folder, target, options, None if options.resume else start)
        if options.resume:
            run.restore(checkpoint.load(folder.last))
        precision = str(run.learner.dtype).split(".")[1]
        options.world.require_same(run.shared_facts())
        facts = {
            "settings": dict(options.settings),
            "plan": plan.as_dict(),
            "device": {"asked": options.device, "used": str(target), "precision": precision},
            "threads": threads,
            "workers": run.supply.loader.num_workers,
            "processes": options.world.size,
            "data": {
                "tiles": tiles,
                "fingerprint": data.fingerprint,
                "samples": run.batches.samples,
                "validation": len(data.validation),
            },
            "started": started,
        }
        folder.describe(facts)
        with freed_blocks_kept():
            result = run.go(callbacks)
        outcome = {"ended": now(), "stopped": result.stopped, "epochs": result.epochs}
        folder.describe(facts | outcome | {"best": result.record and asdict(result.record)})
        return result
