"""Training tiles: their geometry, splits, plan, writer, records and manifest."""
