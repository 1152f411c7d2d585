"""Audit of annotations: whether masks belong to their images and lie on the beads."""
