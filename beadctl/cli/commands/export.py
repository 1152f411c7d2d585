"""``beadctl export``: a training run into one self-describing ONNX file."""

from pathlib import Path
from typing import Annotated

import typer

from beadctl import console
from beadctl.cli import options, settings


def export(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a training run, or a checkpoint.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The model file to write.")] = Path("bead.onnx"),
    opset: options.Opset = None,
    name: options.ModelName = None,
    licence: options.Licence = None,
    blend: options.BlendWith = None,
    blend_share: options.BlendShare = None,
    threshold: options.Threshold = None,
    marker_threshold: options.MarkerThreshold = None,
    min_area: options.MinArea = None,
    overwrite: options.Overwrite = None,
    config: options.Config = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Fold batch normalisation, write the file with its facts, and verify it against PyTorch."""
    loaded = settings.load(config, options.given(context.params)).settings
    from beadctl.training.blend import Blend
    from beadctl.training.export import export as export_
    from beadctl.training.start import weights

    messages, given = console.Messages.of(quiet, verbose), loaded.export.blend
    report = export_(
        run,
        out,
        opset=loaded.export.opset,
        name=loaded.export.name,
        licence=loaded.export.licence,
        threshold=loaded.instances.threshold,
        marker_threshold=loaded.instances.marker_threshold,
        min_area_px=loaded.instances.min_area,
        blend=Blend(weights(given), loaded.export.blend_share) if given else None,
        overwrite=loaded.output.overwrite,
    )
    messages.info(
        f"{out}: {report.size_bytes / 2**20:.2f} MiB; on {report.comparisons} inputs onnxruntime and PyTorch "
        f"differ by at most {report.largest_difference:.1e}, and in no count"
    )
