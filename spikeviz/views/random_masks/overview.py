"""Random spike masking on one input: what is dropped, what that saves, and how sure the network still is."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeviz.views import spikes
from spikeviz.views.captions import dynamics
from spikeviz.views.layers.names import tags_of
from spikeviz.views.layers.names import words as in_words
from spikeviz.views.layers.viewer import spike_viewer
from spikeviz.views.networks.gaps import gaps
from spikeviz.views.networks.siblings import config_of
from spikeviz.views.random_masks.networks import converted, kind, masks_trained_under, tuned_under
from spikeviz.views.random_masks.settings import drops, masks_of, places_of, unmasked, where
from spikeviz.views.random_masks.terms import FUTURE, terms
from spikeviz.views.view import Figure, Item, Note, Row

if TYPE_CHECKING:
    import pandas as pd

    from spikeviz.figures.chart import Maps
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SEEDS = tuple(range(10))
SEC = "Masked Spiking Transformer, sec. 3.4"


def main(scene: Scene) -> Iterator[Item]:
    """What the masks let pass, the viewer, and what the network is and is not."""
    yield formula(scene)
    if line := terms(scene.now):
        yield line
    if text := beside(scene):
        yield Note(text)
    yield from spike_viewer(scene)
    yield about(scene.now)


def beside(scene: Scene) -> str:
    """Which network is A and which B, where the page chose A; "" where it did not."""
    if scene.compared is None or scene.state.compared is not None:
        return ""
    a, b = scene.compared, scene.now
    return (
        f"**A: {a.card.name}**, not fine-tuned under masks. **B: {b.card.name}**, fine-tuned under "
        f"{tuned_under(b.card)}. Same input, masks, seed and T: {b.status_text}; Hold as A compares with a setting of "
        "your own."
    )


def spikes_by_place(run: Run) -> pd.DataFrame:
    """Spikes sent and kept at every place where they can be masked (`spikeviz.metrics.dropped`)."""
    from spikeviz.metrics.dropped import dropped
    from spikeviz.metrics.spike_masking import masking_places

    model = run.model
    return run.once("spikes by place", lambda recording: dropped(recording, masking_places(model)))


def passing(run: Run) -> tuple[int, int]:
    """Spikes that are sent at the masked places, and how many of them pass."""
    table = spikes_by_place(run)
    chosen = table[table["place"].isin([place.name for place in places_of(run)])]
    return int(chosen["sent"].sum()), int(chosen["kept"].sum())


def power_of(run: Run) -> float:
    """Alpha-watts of a run: of the spikes that pass."""
    from spikeviz.metrics.dropped import power_that_passes
    from spikeviz.metrics.spike_masking import masking_places

    model = run.model
    return run.once("power", lambda recording: power_that_passes(recording, masking_places(model)))


def formula(scene: Scene) -> Note:
    """The formula with the numbers of the moment, and power beside the paper's."""
    from spikeviz.views.random_masks.charts import TABLE_3, watts

    run, (sent, kept) = scene.now, passing(scene.now)
    law = ", an activation as a whole" if any(mask.law == "whole" for mask in masks_of(run)) else ""
    spent, whole, named = power_of(run), power_of(unmasked(scene)), kind(run.card)
    masks = masks_of(run)
    ratio = f"$s'_t = b_t\\,s_t,\\; P(b_t = 0) = {masks[0].ratio:.2f}$"
    if len(masks) > 1:
        ratio = "$s'_t = b_t\\,s_t$ with $P(b_t = 0)$ = the ratio of each mask, one after the other,"
    share = f"**×{spent / whole:.2f}** of the unmasked run of this input" if whole else "without masks 0 as well"
    printed = ", ".join(f"×{share:.2f} at {r:.0%}" for name, r, _, share, _ in TABLE_3 if name == named and r)
    paper = f" <small>The paper's {named} on CIFAR-10, fine-tuned: {printed} (Table 3).</small>" if printed else ""
    return Note(
        f"{ratio} lets **{kept:,} of {sent:,}** spikes pass at {where(run)}{law}. Whole network: $P$ = "
        f"**{watts(spent)}** α-watts, {share}.{paper}",
        "text",
        "RSM",
    )


def about(run: Run) -> Note:
    """Size and data of the network, what it was fine-tuned under, and what in it is no spike."""
    from spikeviz.artifacts.cards import accuracy_text
    from spikeviz.data.catalog import find_data
    from spikeviz.models.registry import find_spec

    card, size = run.card, find_spec(run.card.model).params / 1e6
    over = "" if card.accuracy is None else f" ({card.samples:,} {run.samples})"
    how = "a QCFS network, run as spikes" if converted(card) else "trained with spikes"
    text = (
        f"{card.name}: demo size, {size:.2f} M parameters, {find_data(card.data).title}; {how}; accuracy "
        f"{accuracy_text(card.accuracy, card.samples)}{over}."
    )
    if not converted(card):
        text += f" {FUTURE.format(name=card.name)}"
    if masks_trained_under(card):
        text += f" Fine-tuned under {tuned_under(card)}"
        trained = card.measured.get("as_trained")
        text += f"; as QCFS under it {accuracy_text(trained['accuracy'], card.samples)}." if trained else "."
    if getattr(config_of(card), "softmax", False):
        text += (
            " Not everything is spikes: softmax, position bias and residual stream stay real-valued, as in the "
            "published code; Eq. 6 and 7 of the paper show none of them."
        )
    return Note(text)


def masks(scene: Scene) -> Generator[Item, Any, None]:
    """Spikes that pass by place, NSFR, the confidence of ten seeds, and what is dropped of a layer."""
    yield from gaps(scene)
    yield Row(_by_place(scene), _over_time_and_seeds(scene))
    yield from _dropped(scene)


def _over_time_and_seeds(scene: Scene) -> Iterator[Item]:
    yield _nsfr(scene)
    yield from _seeds(scene)


def _by_place(scene: Scene) -> Iterator[Item]:
    from spikeviz.views.random_masks.charts import kept_bars

    table, (sent, kept) = spikes_by_place(scene.now), passing(scene.now)
    share = f": {kept / sent:.1%}" if sent else ""
    yield Figure(
        kept_bars(table, _names(scene.now, table)),
        f"Places of the paper, masked or not. At the masked ones, {where(scene.now)}, {sent:,} spikes are sent and "
        f"{kept:,} pass{share}. A mask acts on what later layers send as well.",
        SEC,
        "Spikes that pass: " + ", ".join(f"{r.place} {r.kept:,.0f} of {r.sent:,.0f}" for r in table.itertuples()),
        "RSM",
    )


def _names(run: Run, table: pd.DataFrame) -> dict[str, str]:
    """Of the places of a table in words, by the module path of their layers."""
    from spikeviz.metrics.spike_masking import CONVOLUTION

    paths = [row.place.removesuffix(".spike") for row in table.itertuples() if row.site != CONVOLUTION]
    found = in_words(paths, tags_of(run.model))
    for row in table.itertuples():
        if row.site == CONVOLUTION:
            beside = ", shortcut" if ".shortcut." in row.place else ""
            found[row.place] = f"into convolution {row.block}{beside}"
    return found


def _nsfr(scene: Scene) -> Figure:
    from spikeviz.figures.spikes import nsfr_curve

    dropping = drops(scene.now)
    now, whole = scene.now.numbers.nsfr.numpy(), unmasked(scene).numbers.nsfr.numpy()
    return Figure(
        nsfr_curve(now, whole if dropping else None, ("masked", "unmasked")),
        f"This input, mean {now.mean():.3f}"
        + (f"; without masks {whole.mean():.3f}" if dropping else "")
        + f". A dropped spike is not counted. {dynamics.first_step(scene.now.model, now.tolist())}",
        alt="NSFR by step: " + ", ".join(f"{v:.3f}" for v in now),
        term="NSFR",
    )


def _dropped(scene: Scene) -> Generator[Item, Any, None]:
    from spikeviz.metrics.dropped import sent
    from spikeviz.views.random_masks.charts import dropped_maps

    run = scene.now
    at = {p.spike.removesuffix(".spike"): p.name for p in reversed(places_of(run)) if p.kind != "scores"}
    layers = [layer for layer in run.layers if layer in at]
    if not layers:
        yield Note("What is masked are no neurons on a grid: there is no map of what is dropped.")
        return
    layer = scene.layer if scene.layer in layers else layers[0]
    layer = yield spikes.layer_option(scene, layers, layer, help="The viewer moves to it as well")
    fired = sent(run.recording, at[layer])[:, 0].cpu().numpy()
    passes = run.recording[at[layer]].values[:, 0].cpu().numpy()
    maps = dropped_maps(fired, passes, scene.now.network.words(layer))
    yield Figure(
        maps,
        f"This input, mean over channels{' and t' * (len(fired) > 1)}: {int(fired.sum()):,} spikes are sent, "
        f"{int(passes.sum()):,} pass. Masking ignores position: every spike has the same chance.",
        SEC,
        f"Spikes of {scene.now.network.words(layer)}: {int(fired.sum()):,} sent, {int(passes.sum()):,} pass",
        html=partial(_tiles, maps),
    )


def _tiles(maps: Maps) -> str:
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    notes = [f"mean {values.mean():.3f}" for values in maps.maps]
    return strip(map_tiles(maps, notes), 3, 96, 150) + rate_bar(maps.label)


def _seeds(scene: Scene) -> Iterator[Item]:
    """Ten seeds of this input as one batch."""
    from spikeviz.data.catalog import find_data
    from spikeviz.views.random_masks.charts import seeds_bars, seeds_chart

    run = scene.now
    if not drops(run):
        yield Note("Nothing is dropped at ratio 0, so every seed gives the same. Move the ratio.")
        return
    ten = scene.run(run.experiment.but(seed=SEEDS), "")
    shares = ten.once("confidence", lambda recording: recording.output.softmax(-1).cpu().numpy())
    classes, best = find_data(run.card.data).classes, shares.argmax(1)
    most = np.bincount(best).argmax()
    means = ", ".join(f"{name} {share:.2f}" for name, share in zip(classes, shares.mean(0), strict=True))
    yield Figure(
        seeds_chart(shares, classes),
        f"Seeds 0 to {len(shares) - 1} of this input, one batch: {int((best == most).sum())} of {len(shares)} say "
        f"{classes[most]}. Bar: mean, ± standard deviation; line: from the least to the most.",
        SEC,
        f"Mean confidence: {means}",
        "confidence",
        lambda: seeds_bars(shares, classes, run.shown.label),
    )
