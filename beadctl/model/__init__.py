"""The model file: session, metadata and inference by blocks."""
