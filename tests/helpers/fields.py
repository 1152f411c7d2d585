"""Fields of view of one large specimen, whose density is known and whose border cuts beads."""

import numpy as np

# One bead in each square of this edge, px.
SPACING = 30
SHAPE = (200, 240)
# No bead reaches farther than this from its centre.
LARGEST_PX = 11


def field(rng: np.random.Generator) -> np.ndarray:
    """Return the label image of a field: discs of 5 to 11 px radius, each at random in its own square.

    Beads lie in the squares of a lattice with a random origin, so that their number varies little from field
    to field, and no two touch. Labels are in no order.
    """
    labels = np.zeros(SHAPE, np.uint32)
    first = rng.uniform(-SPACING, 0, 2) - SPACING
    rows, columns = (np.arange(length) for length in SHAPE)
    corners = [
        first + SPACING * np.array([row, column])
        for row in range(SHAPE[0] // SPACING + 4)
        for column in range(SHAPE[1] // SPACING + 4)
    ]
    for label, corner in enumerate(rng.permutation(corners), 1):
        radius = rng.uniform(5, LARGEST_PX)
        y, x = corner + rng.uniform(radius, SPACING - radius, 2)
        near = tuple(slice(max(0, int(c - radius)), max(0, int(c + radius) + 2)) for c in (y, x))
        inside = (rows[near[0], None] - y) ** 2 + (columns[near[1]] - x) ** 2 <= radius**2
        labels[near][inside] = label
    return labels
