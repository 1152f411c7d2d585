"""Shards that are done help others with the large images of these, block by block."""

import dataclasses
import warnings
from functools import partial
from pathlib import Path

from beadctl.console import Messages
from beadctl.errors import FileNote, ImageError
from beadctl.images import Found, open_image
from beadctl.results import ledger
from beadctl.results.block_store import BlockStore, folder_of
from beadctl.results.outputs import Outputs
from beadctl.results.shards import Part
from beadctl.results.sources import ByNetwork, Source


def sharing(part: Part | None, source: Source, outputs: Outputs) -> Source:
    """Return the source of a shard, with the blocks that the shards share, if some image is large."""
    out = outputs.shared
    if part is None or out is None or not part.large or not isinstance(source, ByNetwork) or source.workers:
        return source
    paths, tile_size = frozenset(item.path for item in part.large), source.options.tile_size
    store = BlockStore(folder_of(out), part.shard, paths, source.key, source.model, tile_size)
    return dataclasses.replace(source, store=store)


def help_others(part: Part | None, source: Source, out: Path | None, messages: Messages) -> None:
    """Compute blocks of the large images of other shards that are not done.

    What is wrong with an image is told by the shard that has it.

    Parameters
    ----------
    part, source : Part or None, and Source
        The images of this shard, and where beads come from; see `sharing`.
    out, messages : Path or None, and Messages
        Folder of the results; prints which image is helped with.
    """
    if part is None or out is None or not isinstance(source, ByNetwork) or source.store is None:
        return
    own = {item.path for item in part.found}
    for item in part.large:
        if item.path in own or _is_done(out, item, source):
            continue
        messages.info(f"{item.name}: computing blocks of it for another shard")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FileNote)
            try:
                for plane in open_image(item.path, source.read).planes:
                    source.help(plane, partial(_is_done, out, item, source))
            except (ImageError, OSError):
                continue


def _is_done(out: Path, item: Found, source: ByNetwork) -> bool:
    entry = ledger.read(out, item.name)
    return entry is not None and entry.key.startswith(source.key)
