"""What is written of a segmented plane: one small file a format."""
