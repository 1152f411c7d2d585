"""The moving average of the weights."""

import torch

from beadctl.training.architecture import Architecture
from beadctl.training.ema import WeightAverage
from beadctl.training.unet import UNet


def test_weight_average_is_the_recursion_and_averages_batch_statistics():
    torch.manual_seed(0)
    network = UNet(Architecture(2, 2))
    average = WeightAverage(network, 0.9)
    name, buffer = "head.weight", "down.0.1.running_var"
    expected = {key: network.state_dict()[key].clone() for key in (name, buffer)}
    for step in range(1, 200):
        for key in expected:
            network.state_dict()[key].copy_(torch.rand_like(expected[key]))
        network.state_dict()["down.0.1.num_batches_tracked"].fill_(step)
        average.update(step)
        decay = min(0.9, (1 + step) / (10 + step))
        for key in expected:
            expected[key] = decay * expected[key] + (1 - decay) * network.state_dict()[key]
    got = average.network.state_dict()
    for key in expected:
        torch.testing.assert_close(got[key], expected[key])
    assert got["down.0.1.num_batches_tracked"] == 199
