"""The folder of a tuning: what lies where, and when it may be written to."""

from pathlib import Path

from beadctl.errors import OutputError
from beadctl.training.run_folder import LAST

TILES, RUN, FOLDS = "tiles", "run", "folds"
MODEL, FIGURES, PAGE, WORST = "tuned.onnx", "tuning.json", "report.html", "worst_places.png"


def require_own(out: Path) -> None:
    """Refuse a folder with files of these names that no tuning wrote; one that a tuning wrote goes on.

    Raises
    ------
    OutputError
        If there are such files.
    """
    if (out / RUN / LAST).exists():
        return
    for name in (MODEL, FIGURES, PAGE, WORST):
        if (out / name).exists():
            raise OutputError(f"{out / name}: already exists, and is of no tuning; choose another -o")
