"""Sparse against ordinary convolution: whether the mask survives, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from spikeviz.views import runs
from spikeviz.views.reconstruction.overview import result
from spikeviz.views.view import Figure, Item, Note, Row

if TYPE_CHECKING:
    import pandas as pd

    from spikeviz.figures.chart import Maps
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

FIG_5 = "E-SpikeFormer, sec. 3.4, Eq. 13 and Fig. 5"
SHOWN = 5  # layers whose maps are drawn


def sparse(scene: Scene) -> Iterator[Item]:
    """The same weights with either kind of convolution, on this image and mask."""
    run, twin = scene.now, ordinary(scene)
    table = activity(run, twin)
    if not table["places"].all():
        yield Note("Nothing is hidden, so no mask can vanish. Move the mask ratio, or hide patches.")
        return
    yield Row(_shares(run, twin, table), _maps(run, twin), widths=(1, 1.35))


def ordinary(scene: Scene) -> Run:
    """The present run with ordinary convolutions in place of sparse ones."""
    from spikeviz.evaluation.hidden_errors import TOKENS

    return scene.run(scene.now.experiment.but(variant="ordinary"), ("encoder.*.spike", *runs.MADE, TOKENS))


def activity(run: Run, twin: Run) -> pd.DataFrame:
    """Of each layer: `layer`, `places` (hidden ones), and the shares of them that fire, `sparse` and `ordinary`."""
    from spikeviz.metrics import hidden_activity

    table, other = (r.once("hidden activity", partial(hidden_activity, layers=r.layers)) for r in (run, twin))
    table = table.rename(columns={"share": "sparse"})
    table["ordinary"] = other["share"]
    return table


def _shares(run: Run, twin: Run, table: pd.DataFrame) -> Iterator[Item]:
    from spikeviz.views.reconstruction.charts import activity_chart

    named = table.assign(layer=table["layer"].map(run.network.words))
    yield Figure(
        activity_chart(table),
        f"{verdict(named)} The weights were trained with sparse convolutions{_costs(run, twin)}; a place fires if any "
        "of its channels does, at any step.",
        FIG_5,
        "Share of hidden places that fire, sparse and ordinary: "
        + ", ".join(f"{row.layer} {row.sparse:.2f} {row.ordinary:.2f}" for row in named.itertuples()),
        "sparse convolution",
    )


def verdict(table: pd.DataFrame) -> str:
    """What the two curves say, in words."""
    sparse, ordinary = table["sparse"], table["ordinary"]
    stays = (
        "no layer fires at a hidden place" if not sparse.any() else f"up to {sparse.max():.0%} of hidden places fire"
    )
    grows = f"{ordinary.iloc[0]:.0%} of hidden places fire in the first layer, {ordinary.iloc[-1]:.0%} in the last"
    lost = table["layer"][ordinary.eq(1)[::-1].cummin()[::-1]]  # of the layers at the end where every place fires
    gone = f"; from {lost.iloc[0]} on the mask is gone" if len(lost) else ""
    first, last = ordinary.iloc[0], ordinary.iloc[-1]
    way = "shrinks" if last > first else "grows" if last < first else "stays as large"
    return (
        f"With sparse convolution {stays}; with ordinary convolution {grows}{gone}. In the paper's sketch the silent "
        f"area grows with ordinary convolution; here the silent part of the hidden area {way}."
    )


def _costs(run: Run, twin: Run) -> str:
    """What the same weights make of the hidden patches with ordinary convolutions."""
    own, other = (result(r) for r in (run, twin))
    if own.errors is None or other.errors is None:
        return ""
    rank = "" if other.rank is None else f", effective rank {other.rank:.1f}"
    return (
        f": with ordinary ones their MSE of this image is {other.errors['MSE']:.4f} instead of "
        f"{own.errors['MSE']:.4f}{rank}"
    )


def _maps(run: Run, twin: Run) -> Iterator[Item]:
    from spikeviz.views.reconstruction.charts import activity_maps

    layers, side = run.layers, run.model.config.image_size
    chosen = [layers[n] for n in np.unique(np.linspace(0, len(layers) - 1, SHOWN).round().astype(int))]
    for name, one in (("sparse", run), ("ordinary", twin)):
        rates = {run.network.words(layer): _rates(one, layer) for layer in chosen}
        maps = activity_maps(rates, f"Firing places, {name} convolution", side)
        yield Figure(
            maps,
            f"{len(chosen)} of {len(layers)} layers, from the image on, each at its own resolution.",
            FIG_5,
            ", ".join(f"{layer} mean {values.mean():.2f}" for layer, values in rates.items()),
            html=partial(_tiles, maps, rates, name == "ordinary"),
        )


def _rates(run: Run, layer: str) -> np.ndarray:
    from spikeviz.metrics import firing_places

    return run.once(f"firing places {layer}", lambda recording: firing_places(recording, layer)[0].cpu().numpy())


def _tiles(maps: Maps, rates: Mapping[str, np.ndarray], scale: bool) -> str:
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    tiles = map_tiles(maps, [f"mean {values.mean():.2f}" for values in rates.values()])
    return strip(tiles, SHOWN, 84, 130) + (rate_bar(maps.label) if scale else "")
