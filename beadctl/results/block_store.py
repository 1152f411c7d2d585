"""Blocks of large planes that the shards of a run compute together, as files that all of them see.

The network's maps of a block are those of the whole plane to the bit, whoever computes them (see
`beadctl.model.blocks`). So the shard that has an image waits for nobody: it takes the blocks that others have
written, computes the rest, and labels the whole. Each shard begins at another block; a mark keeps two from
computing the same one, and is not obeyed in the end, since its maker may have been killed.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np

from beadctl.errors import OutputError
from beadctl.files import atomic, fingerprint
from beadctl.images import Plane, Window
from beadctl.model.blocks import blocks
from beadctl.model.session import Maps, Model
from beadctl.results import ledger, shards
from beadctl.segmentation.prediction import ScaledPlane
from beadctl.shard import Shard

FOLDER = "blocks"
# Edge of a block, px: a few megabytes of maps, and some seconds of a processor.
BLOCK_PX = 2048


@dataclass(frozen=True)
class BlockStore:
    """The blocks of the large images of a run.

    Attributes
    ----------
    folder : Path
        Where they are.
    shard : Shard
        The shard that computes now.
    paths : frozenset of Path
        The images.
    key : str
        What, besides the image, decides their maps.
    model, tile_size : Model and int
        The network, and the tiles in which it runs, px.
    """

    folder: Path
    shard: Shard
    paths: frozenset[Path]
    key: str
    model: Model
    tile_size: int

    def maps(self, plane: Plane, scaled: ScaledPlane) -> Maps:
        """Return the maps of a plane, of which other shards may have computed some blocks.

        Raises
        ------
        OutputError
            If a block cannot be written; other errors are those of `beadctl.model.session.Model.maps`.
        """
        self.fill(plane, scaled)

        def block(core: Window) -> Maps:
            return self._read(self._path(plane, scaled, core), core) or self._computed(scaled, core)

        known = _Blocks(self._cores(scaled), block)
        return self.model.maps(scaled.pixels, shown=scaled.shown, tile_size=BLOCK_PX, known=known)

    def fill(self, plane: Plane, scaled: ScaledPlane, is_done: Callable[[], bool] = lambda: False) -> None:
        """Compute the blocks of a plane that no shard has begun, until `is_done`; errors as for `maps`."""
        cores = self._cores(scaled)
        first = len(cores) * (self.shard.number - 1) // self.shard.count
        for core in cores[first:] + cores[:first]:
            if is_done():
                return
            path = self._path(plane, scaled, core)
            if _begins(path):
                with atomic(path, durable=False) as temporary, temporary.open("wb") as file:
                    np.save(file, np.stack(self._computed(scaled, core).planes))

    def _cores(self, scaled: ScaledPlane) -> list[Window]:
        height, width, facts = scaled.pixels.height, scaled.pixels.width, self.model.facts
        whole = blocks(height, width, tile_size=BLOCK_PX, halo=facts.halo, stride=facts.stride)
        return [block.core for block in whole]

    def _computed(self, scaled: ScaledPlane, core: Window) -> Maps:
        return self.model.maps(scaled.pixels, core, shown=scaled.shown, tile_size=self.tile_size)

    def _read(self, path: Path, core: Window) -> Maps | None:
        """Return the maps of a block if a shard has written them whole."""
        # No archive, and no object: `open_memmap` reads numbers alone.
        try:
            maps = np.lib.format.open_memmap(path, mode="r")
        except (OSError, ValueError, EOFError, TokenError):
            return None
        is_block = maps.dtype == np.uint8 and maps.shape[1:] == (core.height, core.width)
        return Maps(*maps) if is_block and len(maps) in (1, 2) else None

    def _path(self, plane: Plane, scaled: ScaledPlane, core: Window) -> Path:
        state = plane.path.stat()
        which = plane.path.absolute(), state.st_size, state.st_mtime_ns, plane.index, scaled.choice.factor
        return self.folder / fingerprint(self.key, *map(str, which)) / f"{core.top}-{core.left}.npy"


class _Blocks(Mapping[Window, Maps]):
    """The maps of the blocks of a plane, each got when it is asked for."""

    def __init__(self, cores: Sequence[Window], get: Callable[[Window], Maps]) -> None:
        self._cores, self._get = dict.fromkeys(cores), get

    def __getitem__(self, core: Window) -> Maps:
        if core not in self._cores:
            raise KeyError(core)
        return self._get(core)

    def __contains__(self, core: object) -> bool:
        return core in self._cores

    def __iter__(self) -> Iterator[Window]:
        return iter(self._cores)

    def __len__(self) -> int:
        return len(self._cores)


def folder_of(out: Path) -> Path:
    """Return the folder of the blocks in a folder of results."""
    return out / ledger.FOLDER / shards.FOLDER / FOLDER


def _begins(path: Path) -> bool:
    """Mark a block as begun; return whether it was not."""
    mark = path.with_suffix(".begun")
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            mark.touch(exist_ok=False)
            return True
    except OSError as error:
        raise OutputError(f"{mark}: cannot be written ({error.strerror})") from None
    return False
