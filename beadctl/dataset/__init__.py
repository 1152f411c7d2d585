"""Training tiles: manifest, tile plan, tile writer and splits."""
