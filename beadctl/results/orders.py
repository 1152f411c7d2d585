"""What a worker needs to find beads, and to finish images, as this one would."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from beadctl import cpus, scratch
from beadctl.cluster.place import Local
from beadctl.cluster.worker import as_given, name_notes
from beadctl.devices import NUMBERED
from beadctl.errors import DeviceError, ModelError
from beadctl.images import Found
from beadctl.memory import MemoryPlan
from beadctl.model.session import DEFAULT_MODEL, Model
from beadctl.results.formats import Output
from beadctl.results.image_work import FinishedImage, ImageWork
from beadctl.results.outputs import Outputs
from beadctl.results.shards import Part
from beadctl.results.sources import ByLabels, ByNetwork
from beadctl.segmentation.options import SegmentOptions

# What ``run.json`` says of the process that finds the beads.
OF_THE_PROCESS = ("device_used", "threads", "onnxruntime")


def own_processes(
    images: Sequence[object] | Part, threads: int, memory_bytes: Callable[[], int]
) -> Local | None:
    """Return the processes of this computer that are to share images; None where this one does them all.

    Parameters
    ----------
    images : sequence or Part
        The images, or those of a shard.
    threads, memory_bytes : int, and callable
        What all of them may use.
    """
    if isinstance(images, Part):
        # Workers share no blocks of large images with other shards.
        return None if images.large else own_processes(images.found, threads, memory_bytes)
    return Local.for_images(len(images), threads, memory_bytes)


def require_present(path: Path) -> None:
    """Raise FileNotFoundError, or NotADirectoryError, if a file is not there.

    Another error, as of a folder that may not be entered, is left to what reads the file.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError:
        return


@dataclass(frozen=True)
class NetworkOrder:
    """How a worker opens the same model file.

    Attributes
    ----------
    model, sha256 : Path or None, and str
        The model file, None for that in the package, and the hash of its content.
    device, threads, max_memory, tile_size
        As the user asked for them, or None.
    sharing : int
        Processes that share this computer; 1 where each has what its job was granted.
    options : SegmentOptions
        How planes become beads.
    """

    model: Path | None
    sha256: str
    device: str
    threads: int | None
    max_memory: str | None
    tile_size: int | None
    sharing: int
    options: SegmentOptions

    def open(self, number: int) -> ByNetwork:
        """Open the model file.

        Parameters
        ----------
        number : int
            Of the process among those that share the computer, from 0; each takes a GPU of its own.

        Raises
        ------
        ModelError, DeviceError, SettingsError
            If it is another file, or cannot be used.
        """
        # With `auto` only where there are enough.
        own_gpu = self.device in ("auto", *NUMBERED) and self.sharing > 1
        device = f"{self.device}:{number}" if own_gpu else self.device
        threads = self.threads or max(1, cpus.usable_cpus() // self.sharing)
        try:
            model = Model(self.model or DEFAULT_MODEL, device, threads)
        except DeviceError as error:
            if not (own_gpu and number):
                raise
            each = f"each process takes a device of its own; give --cluster local:{number}"
            raise DeviceError(f"{error}; {each}, or --device {self.device}:0 for all") from None
        if model.sha256 != self.sha256:
            raise ModelError(
                f"{model.path}: is another model file than here (sha256 {model.sha256[:12]}, here "
                f"{self.sha256[:12]}); copy it there, or install the same beadctl"
            )
        plan = MemoryPlan.of(
            self.max_memory, self.tile_size, network=model.bytes_a_pixel, sharing=self.sharing
        )
        scratch.keep_in_memory(plan.array_bytes)
        return ByNetwork(model, replace(self.options, tile_size=plan.tile_size))


@dataclass(frozen=True)
class ImageOrder:
    """How a worker finishes images.

    Attributes
    ----------
    source : NetworkOrder or ByLabels
        Where the beads come from.
    save, keyed
        As for `beadctl.results.image_work.ImageWork`.
    regions : mapping of str to str
        Files of regions as the worker names them, and as the user gave them.
    """

    source: NetworkOrder | ByLabels
    save: tuple[Output, ...] = ()
    keyed: bool = False
    regions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, source: NetworkOrder | ByLabels, outputs: Outputs) -> "ImageOrder":
        """Return the order for the images of a run; paths are made absolute.

        Parameters
        ----------
        source, outputs : NetworkOrder or ByLabels, and Outputs
            Where the beads come from, and what is written.
        """
        given = source.options.rule.region if isinstance(source, NetworkOrder) else source.rule.region
        region = given and given.absolute()
        if isinstance(source, NetworkOrder):
            source = replace(source, options=replace(source.options, region=region))
        else:
            source = replace(source, rule=replace(source.rule, region=region))
        names = dict(zip(region.texts, given.texts, strict=True)) if region and given else {}
        keyed = outputs.folder is not None
        return cls(source, outputs.save if keyed else (), keyed, names)

    def open(self, number: int) -> "ImageTool":
        """Open what finds the beads; parameters and errors are those of `NetworkOrder.open`."""
        source = self.source.open(number) if isinstance(self.source, NetworkOrder) else self.source
        return ImageTool(self, source)


class ImageTool:
    """Finishes images in a worker.

    Parameters
    ----------
    order, source : ImageOrder and Source
        What was ordered, and where the beads come from, opened.
    """

    def __init__(self, order: ImageOrder, source: ByNetwork | ByLabels) -> None:
        self._order, self._source = order, source
        self._images = ImageWork(source, order.save, keyed=order.keyed)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What ``run.json`` says of this process."""
        return {name: fact for name, fact in self._source.facts().items() if name in OF_THE_PROCESS}

    def work(self, item: Found, path: str) -> FinishedImage:
        """Finish an image, of which all words name files as the user gave them.

        Parameters
        ----------
        item, path : Found and str
            The image, and its path as the user gave it.

        Raises
        ------
        FileNotFoundError
            If it is not there.
        """
        if not item.url:
            require_present(item.path)
        finish = self._images.begin(item)
        assert finish
        done = finish()
        given = {**self._order.regions, str(item.path): path}
        name_notes(given)
        planes = [
            replace(plane, row=replace(plane.row, reason=as_given(plane.row.reason, given)))
            for plane in done.planes
        ]
        return replace(done, planes=planes, reason=as_given(done.reason, given))

    def give_up(self) -> None:
        """End what is worked on at its next safe point."""
        self._images.give_up()
