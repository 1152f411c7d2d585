"""The sections of the settings: every field with its default, bounds, unit and meaning.

A bracket at the end of a description names the value that a field of None stands for.
"""

from beadctl.cli.sections.data import Data, Images, Tile
from beadctl.cli.sections.inference import Counting, Inference, Instances
from beadctl.cli.sections.output import Cluster, OutputSection
from beadctl.cli.sections.section import Section
from beadctl.cli.sections.training import Export, LossSection, Train

__all__ = [
    "Cluster",
    "Counting",
    "Data",
    "Export",
    "Images",
    "Inference",
    "Instances",
    "LossSection",
    "OutputSection",
    "Section",
    "Tile",
    "Train",
]
