"""Settings as the plain arguments of a forecast, in place of a run."""

from collections.abc import Sequence
from dataclasses import replace

from beadctl.cli import arguments, workers
from beadctl.cli.settings import Settings
from beadctl.console import Form, Messages, print_rows
from beadctl.errors import ExitCode
from beadctl.images import Found
from beadctl.memory import MemoryPlan
from beadctl.results.forecast import COLUMNS, forecast
from beadctl.results.outputs import Outputs
from beadctl.results.remaining import remaining
from beadctl.results.stored import opened


def print_forecast(
    settings: Settings, found: Sequence[Found], outputs: Outputs, messages: Messages
) -> ExitCode:
    """Print what a run would take; images that an earlier one has done take nothing."""
    model, plan = arguments.session(settings, messages)
    assert outputs.folder is not None
    names = [item.name for item in found]
    with opened(outputs.folder, messages, parts=names, writes=False) as (folder, store):
        left = remaining(found, replace(outputs, folder=folder, stored=store))
    where, _ = workers.shared_among(settings, left, model.cpu_threads)
    processes = where.sharing if where else 1
    if processes > 1:
        asked = settings.inference.max_memory, settings.inference.tile_size
        plan = MemoryPlan.of(*asked, network=model.bytes_a_pixel, sharing=processes)
    told = forecast(left, arguments.read_options(settings), model, plan, processes, len(found) - len(left))
    print_rows(Form.AUTO.chosen(Form.CSV), COLUMNS, told.rows)
    return ExitCode.of(failed=told.unreadable > 0)
