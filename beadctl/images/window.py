"""Windows of a plane."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """A rectangle of a plane, px.

    Attributes
    ----------
    top, left : int
        First row and column, 0-based.
    height, width : int
        Size; at least 1.
    """

    top: int
    left: int
    height: int
    width: int

    @property
    def bottom(self) -> int:
        """One past the last row."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """One past the last column."""
        return self.left + self.width

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an array with axes Y, X."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def transposed(self) -> "Window":
        """The same window of the transposed plane."""
        return Window(self.left, self.top, self.width, self.height)

    def is_inside(self, height: int, width: int) -> bool:
        """Whether the window has pixels and lies within a plane of height x width px."""
        return 0 <= self.top < self.bottom <= height and 0 <= self.left < self.right <= width
