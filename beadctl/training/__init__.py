"""Training of the network; with losses and weighting the only packages that import torch."""
