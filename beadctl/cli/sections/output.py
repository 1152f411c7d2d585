"""Settings of where a command works and what it writes."""

from pathlib import Path

from pydantic import Field

from beadctl.cli.sections.section import Outputs, PlaceText, Section
from beadctl.console import Form
from beadctl.results.formats import Output


class Cluster(Section):
    """Workers that do the work of a command: processes here, or those of a Dask cluster."""

    workers: PlaceText | None = Field(
        None,
        description="Workers: local:N processes here, a Dask cluster by its scheduler at tcp://HOST:PORT, or "
        "N jobs by jobqueue.yaml:N [as many processes as pay].",
    )
    timeout_s: float = Field(
        30.0, gt=0, description="Seconds that the scheduler and its first worker may take to answer."
    )
    tls_ca: Path | None = Field(
        None, description="TLS: certificate of the authority that signed all others, PEM [as Dask is set]."
    )
    tls_cert: Path | None = Field(None, description="TLS: own certificate, PEM.")
    tls_key: Path | None = Field(None, description="TLS: own private key, PEM.")


class OutputSection(Section):
    """Output files and console tables."""

    out_dir: Path | None = Field(None, description="Folder of the results.")
    overwrite: bool = Field(False, description="Replace results that already exist.")
    format: Form = Field(
        Form.AUTO,
        description="Form of the table on standard output; auto: table on a terminal, csv in a pipe or file.",
    )
    save: Outputs = Field(
        (Output.MASKS, Output.OVERLAYS),
        description="Files to write of each image, separated by commas: " + ", ".join(Output) + ".",
    )
    report: bool = Field(False, description="Write report.html, a page with each image and its beads.")
