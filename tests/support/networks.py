"""Small networks in which every layer fires, for tests that need one of their own."""

from functools import cache
from pathlib import Path

import pytest
import torch
from torch import nn

from spikeviz.artifacts.as_data import as_data
from spikeviz.artifacts.cards import CheckpointCard, list_checkpoints
from spikeviz.artifacts.checkpoints import save
from spikeviz.data.catalog import find_data
from spikeviz.evaluation.bench.networks import awaken
from spikeviz.models.cnn import CNNConfig
from spikeviz.models.espikeformer import ESpikeFormerConfig
from spikeviz.models.mst import MSTConfig
from spikeviz.models.registry import assemble, build
from spikeviz.models.sdmformer import SDMFormerConfig
from spikeviz.models.spikformer import SpikformerConfig
from spikeviz.nn.channel_masks import find_masks
from spikeviz.paths import app_root


def needs(*names: str, data: bool = True) -> pytest.MarkDecorator:
    """Skip a test where one of these checkpoints has not been trained yet, or what it was trained on is not here.

    `data=False` is for a test that has enough with the weights.
    """
    cards = {card.name: card for card in list_checkpoints()}
    missing = sorted(set(names) - cards.keys())
    reasons = [f"there is no checkpoint {', '.join(missing)} yet"] if missing else []
    if data:
        there = [cards[name] for name in names if name in cards]
        reasons += [f"{c.name} was trained on {c.data}, which is not here" for c in there if not is_here(c.data)]
    return pytest.mark.skipif(bool(reasons), reason="; ".join(reasons))


@cache
def is_here(data: str) -> bool:
    """Whether there is a test split of a data set."""
    source = find_data(data)
    return source.ships or source.count("test") > 0


FIRST = {
    "channel_masks": "sdmformer-fashion-dvs",
    "events": "sdmformer-fashion-dvs",
    "random_masks": "mst-fashion",
    "reconstruction": "spikformer-v2-mae-fashion",
}


def pages() -> list:
    """Every page by its name; one whose networks have not been trained yet is skipped with that reason."""
    names = sorted(path.stem for path in (app_root() / "pages").glob("*.py"))
    return [pytest.param(name, marks=needs(*({FIRST[name]} if name in FIRST else ()))) for name in names]


def presets() -> list:
    """Every preset of every page, with that page; skipped where its network or the data set of that is not here."""
    from spikeviz.views.page import FILES, find_page

    return [
        pytest.param(page, preset, marks=needs(network), id=f"{page.file}-{preset.key}")
        for page in map(find_page, FILES)
        for preset in page.presets
        for network in [preset.address.get("checkpoint", page.networks.first)]
    ]


def shelve(
    model: nn.Module, folder: Path, name: str, spec: str, data: str, samples: int, trained_under: tuple = ()
) -> CheckpointCard:
    """Put a network into a folder of checkpoints, with a card."""
    digest = save(model, folder / f"{name}.safetensors")
    under = as_data(trained_under)
    card = CheckpointCard(
        name, spec, data, CheckpointCard.CLASSES, 0.1, samples, "none", 0, "CPU", "none", digest, under
    )
    card.write(folder / f"{name}.json")
    return card


def make_tiny(layout: str = "cifar", **changes) -> nn.Module:
    """A Spikformer of one block and 16 channels, in eval mode, in which every layer fires."""
    settings = {"depth": 1, "dim": 16, "heads": 2, "num_classes": 3, "in_channels": 1, "image_size": 16}
    settings |= {"time_steps": 3, "pools": (1, 3), "mlp_ratio": 2} | changes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = assemble("spikformer", SpikformerConfig(layout, **settings), f"tiny-{layout}")
        side = settings["image_size"]
        return awaken(model, torch.rand(4, settings["in_channels"], side, side))


def make_small(layout: str = "base", **changes) -> nn.Module:
    """An E-SpikeFormer of one block and 16 channels on 4 x 4 tokens, in eval mode, in which every layer fires."""
    settings = {"widths": (4, 8, 8, 16), "depths": (1,), "num_classes": 3, "in_channels": 1, "image_size": 16}
    settings |= {"heads": 2, "mlp_ratio": 2, "strides": (2, 1, 2, 1), "conv_blocks": (1, 1, 1)} | changes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = assemble("e-spikeformer", ESpikeFormerConfig(layout, **settings), f"small-{layout}")
        for name, parameter in model.named_parameters():
            if name.endswith(".factor"):  # LayerScale starts so small that nothing behind it would be seen
                nn.init.constant_(parameter, 0.5)
        shape = (4, settings["in_channels"], *2 * (settings["image_size"],))
        x = torch.randint(0, 4, (3, *shape)).float() if settings.get("events") else torch.rand(shape)
        model = awaken(model, x)
        for block in model.blocks:
            for layer in (block.attn.q, block.attn.k, block.attn.v):  # so that their product is not below 1/2 at D = 8
                nn.init.constant_(layer.norm.weight, 5.0)
                nn.init.constant_(layer.norm.bias, 3.0)
        return model


SMALL_MST = {"dim": 8, "depths": (2, 1), "heads": (2, 2), "num_classes": 3, "in_channels": 1, "image_size": 16}
SMALL_MST |= {"patch": 2, "window": 4, "levels": 8}


def make_mst(seed: int = 0, **changes) -> nn.Module:
    """An MST of three blocks and 8 channels, in eval mode, in which every layer fires."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = MSTConfig(**SMALL_MST | changes)
        model = assemble("mst", config, "small-mst")
        for name, parameter in model.named_parameters():
            if name.endswith("conv.weight"):
                nn.init.normal_(parameter, std=1.5 / parameter[0].numel() ** 0.5)
            if name.endswith("threshold"):
                nn.init.uniform_(parameter, 0.5, 1.5)
        with torch.no_grad():
            x = torch.rand(8, 1, 16, 16)
            x = torch.rand(config.frames, 8, 2, 16, 16) if config.frames else x
            for _ in range(20):
                model.train()(x)
        return model.eval()


def make_cnn(form: str, **changes) -> nn.Module:
    """A ResNet18 or VGG16 of 4 channels, in eval mode, in which every layer fires."""
    settings = {"width": 4, "num_classes": 3, "in_channels": 1, "image_size": 32, "levels": 8} | changes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return awaken(assemble("mst-cnn", CNNConfig(form, **settings), form), torch.rand(8, 1, 32, 32))


def make_masked(
    layout: str = "dvs", depth: int = 2, dim: int = 16, heads: int = 4, seed: int = 3, **changes
) -> nn.Module:
    """An SDMFormer in which every layer fires, with channel masks drawn at random."""
    settings = {"num_classes": 3, "in_channels": 2, "image_size": 16, "time_steps": 3, "pools": (1, 3), "mlp_ratio": 2}
    config = SDMFormerConfig(layout, depth, dim, heads, **(settings | changes))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = assemble("sdmformer", config, "tiny-sdmformer")
        for mask in find_masks(model).values():
            nn.init.normal_(mask.value, std=0.4)
        return awaken(model, torch.rand(3, 4, config.in_channels, 16, 16).round())


def make_autoencoder(bias: float) -> nn.Module:
    """A small autoencoder with fresh weights, and a bias that makes neurons fire where a convolution is not sparse."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build("spikformer-v2-mae-fashion").eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.constant_(module.bias, bias)
    return model
