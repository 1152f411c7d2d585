"""beadctl segments and counts microbeads in microscope images."""

__version__ = "0.1.0"
