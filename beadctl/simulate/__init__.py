"""Simulated bead images with exact label images.

::

    sampling      random choices
    layout        positions and sizes of beads                      -> Beads
    plan          kind, look and beads of a scene                   -> ScenePlan
    looks         appearance of a bead as a radial profile          -> Look
    drawing       beads drawn onto an image and a label image
    spheres       opaque shaded spheres that hide one another
    texture       smooth random fields and backgrounds
    debris        objects other than beads
    optics        illumination, noise and camera
    scene         one image with its labels                         -> Scene
    writing       a folder of scenes

>>> import numpy as np
>>> scene = render(np.random.default_rng(7), 128)
>>> scene.image.shape, scene.labels.max() == scene.facts["beads"]
((128, 128), True)
"""

from beadctl.simulate.scene import Scene, render
from beadctl.simulate.writing import write

__all__ = ["Scene", "render", "write"]
