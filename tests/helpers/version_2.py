"""Checkpoints as version 0.2 wrote them: the best epoch by Jaccard, of a network that sees the grey level."""

import torch


def checkpoint(path, *, one_channel=False):
    """Rewrite a checkpoint with the names of its version 2, and return its content.

    `one_channel` also leaves the network its first channel alone.
    """
    content = torch.load(path, weights_only=True)
    content["version"] = 2
    content["best_jaccard"] = content.pop("best_score")
    del content["settings"]["select"]
    if one_channel:
        channels = content["architecture"].pop("inputs")
        for state in (content["model"], content["average"]):
            for name, kernel in state.items():
                if name.startswith("down.0.0.") and kernel.ndim == 4 and kernel.shape[1] == channels:
                    state[name] = kernel[:, :1].clone()
    torch.save(content, path)
    return content
