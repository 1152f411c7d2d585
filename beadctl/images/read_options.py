"""How an image file is read where its metadata is missing, wrong or ambiguous."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadOptions:
    """How an image file is read; the same for every file of a run.

    Attributes
    ----------
    axes : str or None
        The axes in stored order, in place of what the file says; one letter an axis, without those of
        length 1, such as ``ZYX``.
    channel : int or None
        Channel to use, from 0. Needed for several channels; for RGB it replaces the luminance.
    plane : int or None
        The only plane to use, from 0; None for all.
    pixel_size_um : float or None
        Edge of a pixel, um, where the file's metadata has none.
    """

    axes: str | None = None
    channel: int | None = None
    plane: int | None = None
    pixel_size_um: float | None = None
