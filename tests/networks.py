"""Small networks in which every layer fires, for tests that need one of their own."""

import torch
from torch import nn

from spikeviz.models.registry import assemble
from spikeviz.models.spikformer import SpikformerConfig
from spikeviz.nn.layers import Norm


def awaken(model: nn.Module, x: torch.Tensor) -> nn.Module:
    """Set normalisation so that every layer fires on `x`: fresh weights leave the deeper layers silent."""
    for module in model.modules():
        if isinstance(module, Norm):
            module.momentum = 1.0  # the statistics of the next pass are kept as they are
            nn.init.constant_(module.weight, 1.5)
            nn.init.constant_(module.bias, 1.0)
    with torch.no_grad():
        model.train()(x)
    return model.eval()


def make_tiny(layout: str = "cifar", **changes) -> nn.Module:
    """A Spikformer of one block and 16 channels, in eval mode, in which every layer fires."""
    settings = {"depth": 1, "dim": 16, "heads": 2, "num_classes": 3, "in_channels": 1, "image_size": 16}
    settings |= {"time_steps": 3, "pools": (1, 3), "mlp_ratio": 2} | changes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = assemble("spikformer", SpikformerConfig(layout, **settings), f"tiny-{layout}")
        side = settings["image_size"]
        return awaken(model, torch.rand(4, settings["in_channels"], side, side))
