"""A model file from a few annotated images, compared with the default model on images that were left out."""
