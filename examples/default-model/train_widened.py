"""`beadctl train`, for a start of one channel: train_widened.py --from bead-0.2.onnx FLAG...

The first convolution gets kernels of zeros for the two channels of local contrast, so that the network begins
as the one of version 0.2.
"""

from dataclasses import replace

from beadctl.cli.main import main
from beadctl.images import InputName
from beadctl.training import start

read = start.weights


def widened(source: str) -> start.Start:
    """Read weights, and widen those of a network that sees the grey level alone."""
    import torch

    found = read(source)
    assert found.state_dict is not None
    more = InputName.LOCAL.channels - found.architecture.inputs
    if not more:
        return found
    state = dict(found.state_dict)
    first = next(name for name, values in state.items() if values.ndim == 4)
    state[first] = torch.cat((state[first], torch.zeros_like(state[first]).repeat(1, more, 1, 1)), 1)
    architecture = replace(found.architecture, inputs=InputName.LOCAL.channels)
    return replace(found, architecture=architecture, state_dict=state)


if __name__ == "__main__":
    start.weights = widened
    main()
