"""Simulated bead images with exact labels: layouts, looks, backgrounds, debris, optics and camera.

::

    layout      where the beads are, how large, how bright         -> Beads
    looks       the appearance of a bead as a radial profile        -> Look
    drawing     beads onto a canvas, and onto the label image
    spheres     opaque shaded spheres that hide one another
    texture     smooth random fields and backgrounds
    debris      what lies in an image and is no bead
    optics      light, noise, and the camera that writes grey levels
    scene       one image from all of these                         -> Scene
    writing     a folder of scenes
"""

from beadctl.simulate.scene import Scene, render
from beadctl.simulate.writing import write

__all__ = ["Scene", "render", "write"]
