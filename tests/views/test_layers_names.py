"""Layers in words: every network has a name of its own for each of its layers, from what its probes say."""

from __future__ import annotations

import pytest
import torch

import spikeviz as sv
from spikeviz.artifacts.cards import list_checkpoints
from spikeviz.artifacts.checkpoints import skeleton
from spikeviz.metrics.firing import spike_layers
from spikeviz.views.layers.names import groups, parts, parts_of, tags_of, words

LIKE_A_PATH = "."  # of a module path, and of no word


def named(model) -> dict[str, tuple[str, ...]]:
    return parts(spike_layers(model), tags_of(model))


def check(model) -> None:
    layers, found = spike_layers(model), named(model)
    assert list(found) == list(layers) and len(set(found.values())) == len(layers)
    assert not any(LIKE_A_PATH in part for name in found.values() for part in name)
    for layer, name in found.items():
        block, site = tags_of(model)[layer]
        if block is not None and site != "convolution":
            assert name[0] == f"block {block}"
    drawn = groups(found)
    assert [layer for _, inner in drawn for _, those in inner for layer in those] == list(layers)
    assert len({outer for outer, _ in drawn}) == len(drawn)  # forward order does not come back to a block


@pytest.mark.parametrize("name", [spec.name for spec in sv.list_models()])
def test_the_names_of_a_published_network_are_its_own(name):
    with torch.device("meta"):
        check(sv.build(name))


@pytest.mark.parametrize("card", list_checkpoints(), ids=lambda card: card.name)
def test_the_names_of_a_trained_network_are_its_own(card):
    check(skeleton(card))


@pytest.mark.parametrize(
    ("path", "tag", "name"),
    [
        ("blocks.1.attn.q", (1, "q"), "block 1, attention, query"),
        ("body.3.anything", (3, "MLP hidden"), "block 3, MLP, hidden"),
        ("blocks.0.local.depth", (0, ""), "block 0, local convolution, depthwise"),
        ("stem.stages.2", (None, ""), "stem, layer 2"),
        ("stem.stages.2.down", (None, ""), "stem, stage 2, downsampling"),
        ("stem.stages.0.blocks.1.sep.expand", (None, ""), "stem, stage 0, block 1, separable convolution, expansion"),
        ("blocks.0.out", (2, "convolution"), "block 0, output (into convolution 2)"),
        ("blocks.0", (1, "convolution"), "block 0, into convolution 1"),
        ("blocks.11", (None, ""), "block 11"),
        ("my_net.features.4.lif", (None, ""), "my net, features 4, lif"),
        ("7", (None, ""), "7"),
    ],
)
def test_a_name_is_what_the_probe_says_and_else_the_path_in_words(path, tag, name):
    assert ", ".join(parts_of(path, tag)) == name


def test_what_all_paths_begin_with_is_left_out_and_no_two_names_are_the_same():
    assert words(["encoder.stem", "encoder.blocks.0.attn.q"]) == {
        "encoder.stem": "stem",
        "encoder.blocks.0.attn.q": "block 0, attention, query",
    }
    assert words(["a.out", "a.output"]) == {"a.out": "output, a.out", "a.output": "output, a.output"}
    assert words(["stem"]) == {"stem": "stem"} and words([]) == {}


def test_groups_are_blocks_and_their_parts():
    layers = ["stem.stages.0", "stem.rpe", "blocks.0.attn.q", "blocks.0.attn.k", "blocks.0.mlp.out", "blocks.1"]
    assert groups(parts(layers)) == [
        ("stem", [("", layers[:2])]),
        ("block 0", [("attention", layers[2:4]), ("MLP", layers[4:5])]),
        ("block 1", [("", layers[5:])]),
    ]


def test_a_number_keeps_what_it_counts():
    """Where only some layers are named, all of them may lie in blocks; scores have no tag of a layer."""
    named = words(["blocks.0.attn.q", "blocks.0.attn.scores"], {"blocks.0.attn.q": (0, "q")})
    assert list(named.values()) == ["block 0, attention, query", "block 0, attention, scores"]
