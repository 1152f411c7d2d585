"""The counting frame: a rectangle with two borders at which beads count and two at which they do not."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from beadctl.errors import ImageError
from beadctl.images import Window
from beadctl.segmentation.sizes import Diameter

SETTING = "--counting-frame"


@dataclass(frozen=True)
class CountingFrame:
    """A frame that lies inside each image, by which beads of any size and shape are counted without bias.

    A bead counts if it has a pixel in the frame and none beyond the exclusion line, which runs down the left
    border of the frame from above the image, along the lower border, and down from its right end (Gundersen,
    Notes on the estimation of the numerical density of arbitrary profiles: the edge effect, Journal of
    Microscopy 111 (1977), 219-223). Of frames that tile the plane each bead counts in just one. The guard
    around the frame has to be as wide as the largest bead, so that a bead that counts is seen whole.

    Attributes
    ----------
    guard : Diameter
        Distance from the borders of the image to those of the frame, in px or um.

    Examples
    --------
    >>> labels = np.array([[0, 0, 0, 0], [1, 1, 2, 2], [0, 3, 0, 0], [0, 3, 0, 0]])
    >>> frame = CountingFrame.parse("1px")
    >>> frame.counted(labels, frame.window(labels.shape)).tolist()
    [False, False, True, False]
    """

    guard: Diameter

    @classmethod
    def parse(cls, text: str) -> "CountingFrame":
        """Read the width of the guard: ``20``, ``20px`` or ``5um``.

        Raises
        ------
        SettingsError
            If the text is none of these.
        """
        return cls(Diameter.parse(text, SETTING, "distance"))

    def in_px(self, pixel_size_um: float | None) -> "CountingFrame":
        """Return the frame with its guard in px; an ImageError where it is in um and these are unknown."""
        px = self.guard.in_px(pixel_size_um)
        if px is None:
            raise ImageError(f"its pixel size is unknown; give --pixel-size, or {SETTING} in px")
        return CountingFrame(Diameter(px, "px"))

    def window(self, shape: tuple[int, int]) -> Window:
        """Return the frame in an image of this height and width, px; the guard is rounded up.

        Raises
        ------
        ImageError
            If the guard leaves nothing of the image.
        """
        guard = math.ceil(self.guard.value - 1e-9)
        if min(shape) <= 2 * guard:
            raise ImageError(
                f"{SETTING}: a guard of {guard} px leaves nothing of its {shape[0]} x {shape[1]} px; "
                "give a narrower one"
            )
        return Window(guard, guard, shape[0] - 2 * guard, shape[1] - 2 * guard)

    @staticmethod
    def counted(labels: NDArray[Any], window: Window) -> NDArray[np.bool_]:
        """Return which labels count, bool (highest label + 1,).

        Parameters
        ----------
        labels : ndarray of int, shape (H, W)
            Label image, 0 for background.
        window : Window
            The frame, from `window`.
        """
        counted = np.zeros(int(labels.max(initial=0)) + 1, bool)
        counted[labels[window.slices]] = True
        counted[labels[:, : window.left]] = False
        counted[labels[window.bottom :, : window.right]] = False
        counted[0] = False
        return counted
