"""Simulated bead images with exact label images.

>>> import numpy as np
>>> scene = render(np.random.default_rng(7), 128)
>>> scene.image.shape, int(scene.labels.max()) == scene.facts["beads"]
((128, 128), True)
"""

from beadctl.simulate.scene import Scene, render
from beadctl.simulate.suspension import draw_suspension, render_suspension
from beadctl.simulate.writing import write

__all__ = ["Scene", "draw_suspension", "render", "render_suspension", "write"]
