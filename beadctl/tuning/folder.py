"""The folder of a tuning: what lies where, and when it may be written to."""

from pathlib import Path

from beadctl.dataset.manifest import MANIFEST
from beadctl.errors import OutputError
from beadctl.images.companions import RESULTS_MARK
from beadctl.training.run_folder import BEST, HISTORY, LAST

TILES, RUN, FOLDS = "tiles", "run", "folds"
MODEL, FIGURES, PAGE, WORST = "tuned.onnx", "tuning.json", "report.html", "worst_places.png"
# Files by which a folder is known to hold results of other commands.
OTHERS = {
    RESULTS_MARK: "results of segment or count",
    "counts.csv": "results of segment or count",
    MANIFEST: "tiles",
    "audit.csv": "an audit",
    **dict.fromkeys((LAST, BEST, HISTORY), "a training run"),
}


def require_own(out: Path) -> None:
    """Refuse a folder with results of other commands, or files of these names that no tuning wrote.

    One that a tuning wrote goes on.

    Raises
    ------
    OutputError
        If there are such results or files.
    """
    if (out / RUN / LAST).exists():
        return
    for name in (MODEL, FIGURES, PAGE, WORST):
        if (out / name).exists():
            raise OutputError(f"{out / name}: already exists, and is of no tuning; choose another -o")
    for name, what in OTHERS.items():
        if (out / name).exists():
            raise OutputError(f"{out}: holds {what} ({name}); choose another -o for a tuning")
