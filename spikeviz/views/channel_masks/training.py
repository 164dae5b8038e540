"""How channel masks moved in training, from the log on the card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from spikeviz.views.channel_masks.overview import SEC
from spikeviz.views.view import Figure, Item, Note, Row

if TYPE_CHECKING:
    from spikeviz.figures.chart import Maps
    from spikeviz.views.scene import Scene

MIDDLE = slice(8, 12)  # of the twentieths of a histogram: strengths from 0.4 to 0.6


def training(scene: Scene) -> Iterator[Item]:
    """Kept channels by epoch, and the histogram of every site."""
    from spikeviz.views.channel_masks.charts import histories, kept_by_epoch

    card = scene.now.card
    history = [line for line in card.training.get("history", ()) if "masks" in line]
    if not history:
        yield Note(f"This card has no mask history ({card.name}).")
        return
    first, last = (_kept(line) for line in (history[0], history[-1]))
    channels = sum(state["channels"] for state in history[-1]["masks"].values())
    end, maps = history[-1]["epoch"], histories(history)
    curves = Figure(
        kept_by_epoch(history),
        f"{first:,} of {channels:,} channels of {card.name} pass at 0.50 after epoch {history[0]['epoch']}, {last:,} "
        f"after epoch {end}. As the training loop recorded it.",
        SEC,
        f"Share of kept channels by epoch: {first} of {channels} channels after the first, {last} after the last",
    )
    epochs = f"epochs {history[0]['epoch']} to {end}"
    moved = Figure(
        maps,
        "Epochs from left to right, the strength σ(5 m) from 0 at the bottom to 1 at the top in twentieths. Between "
        f"0.4 and 0.6 lie {_middle(history[0]):.1%} of the values after epoch {history[0]['epoch']} and "
        f"{_middle(history[-1]):.1%} after epoch {end}.",
        SEC,
        f"Histograms of the mask values of {len(maps.titles)} sites, {epochs}",
        html=partial(_tiles, maps, epochs),
    )
    yield Row([curves], [moved])


def _kept(line: Mapping[str, Any]) -> int:
    return sum(state["kept"] for state in line["masks"].values())


def _middle(line: Mapping[str, Any]) -> float:
    """Share of all values whose strength is neither near 0 nor near 1."""
    states = line["masks"].values()
    return sum(sum(state["histogram"][MIDDLE]) for state in states) / sum(state["channels"] for state in states)


def _tiles(maps: Maps, epochs: str) -> str:
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    return strip(map_tiles(maps, [epochs] * len(maps.titles)), 3) + rate_bar(maps.label)
