"""Whether masks belong to their images and lie on the beads: measured, pair by pair."""
