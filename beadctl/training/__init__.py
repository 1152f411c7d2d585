"""Training: the only rooms, with the losses, that import torch."""
