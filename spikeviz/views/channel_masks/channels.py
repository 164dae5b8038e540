"""Which channels are dropped, and what they carried: on one input, and over test samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from math import sqrt
from typing import TYPE_CHECKING, Any

from spikeviz.views import data_sets, spikes
from spikeviz.views.address import neuron_of
from spikeviz.views.channel_masks.overview import SEC, all_kept, kept, layer_option, masked_layer, spikes_of
from spikeviz.views.channel_masks.settings import threshold, unmasked
from spikeviz.views.scene import is_neuron, telling_neuron
from spikeviz.views.view import Figure, Item, Over, Progress, Row, Study

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from spikeviz.figures.chart import Maps
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SAMPLES = 512
ROUNDING = 1e-9  # what equal rates differ by
NONE = "no difference found"
TELLING = 8  # dropped channels that are shown


def channels(scene: Scene) -> Generator[Item, Any, None]:
    """Every channel of a masked layer: its mask and what it fires; maps of the chosen one and of those that died."""
    layer, _ = masked_layer(scene)
    layer = yield layer_option(scene, layer)
    everything = spikes_of(all_kept(scene), layer)
    table = by_channel(scene.now, layer, everything.mean((0, 2, 3)), everything.transpose(0, 2, 3, 1))
    place = _place(scene, layer, everything)
    yield Row(_strengths(scene, layer, place, table), [_maps(layer, place[0], table, everything)])
    yield _over_samples(scene, layer, place[0])


def by_channel(run: Run, layer: str, rates: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """One row a channel of a masked layer.

    Args:
        run: whose threshold it is.
        layer: that is masked.
        rates: of its channels, all of them kept, [C].
        values: of each channel, at each place, step or sample, [..., C]: what kept channels predict.

    Returns:
        channel, strength, kept, rate, predicted (R^2, NaN where a channel does not vary), best kept channel (-1: none).
    """
    import pandas as pd
    import torch

    from spikeviz.evaluation.channel_survey import predicted_by_kept
    from spikeviz.metrics.channel_masks import masked_layers
    from spikeviz.nn.channel_masks import find_masks

    strength = find_masks(run.model)[masked_layers(run.model)[layer]].strength().detach().cpu().numpy()
    passes = kept(run, layer)
    flat = torch.from_numpy(values.reshape(-1, len(passes)).astype("float64"))
    predicted, best = predicted_by_kept(flat, torch.from_numpy(passes))
    return pd.DataFrame(
        {
            "channel": range(len(passes)),
            "strength": strength,
            "kept": passes,
            "rate": rates,
            "predicted": predicted.numpy(),
            "best kept channel": best.numpy(),
        }
    )


def _place(scene: Scene, layer: str, everything: np.ndarray) -> tuple[int, int, int]:
    """The neuron of the layer that is looked at, whose channel is the chosen one: until one is chosen, a neuron that
    tells something with all channels kept, so that the threshold does not change it."""
    place = scene.look(neuron_of(scene.card.name, layer))
    return tuple(place) if is_neuron(place, everything.shape) else telling_neuron(everything)


def _strengths(scene: Scene, layer: str, place: tuple[int, int, int], table: pd.DataFrame) -> Iterator[Item]:
    from spikeviz.views.channel_masks.charts import strength_and_rate

    count = len(table)
    yield Figure(
        strength_and_rate(
            table, threshold(scene.now), place[0], f"Channels of {scene.now.network.words(layer)}, this input"
        ),
        "A dot is a channel: how strong its mask is, and how much it fires on this input with all channels kept. "
        f"The dashed lines are the threshold and the rate of channel {place[0]}.",
        SEC,
        f"Firing rate of {count} channels against the strength of their mask",
        "firing rate",
    )
    looked = replace(scene.sides[-1], layer=layer, neuron=place)
    help = "A click on a neuron in the viewer chooses its channel as well"
    yield spikes.neuron_option(looked, 0, f"Channel, 0 to {count - 1}", count, help)


def _maps(layer: str, chosen: int, table: pd.DataFrame, everything: np.ndarray) -> Figure:
    """The chosen channel and the dropped ones that fire most, and how well kept channels predict each."""
    from spikeviz.views.channel_masks.charts import channel_maps

    dropped = table[~table["kept"]].sort_values("rate", ascending=False, kind="stable")["channel"]
    first = [chosen, *(c for c in dropped if c != chosen)][: TELLING + 1]
    names = [f"channel {c}, {'kept' if table['kept'][c] else 'dropped'}" for c in first]
    maps = channel_maps(everything, first, names, f"What channels carry · {layer}")
    notes = [_note(table.loc[c]) for c in first]
    return Figure(
        maps,
        f"This input, all channels kept: the chosen channel, then the dropped ones that fire most, of {len(dropped)}. "
        f"R²: how well the one kept channel that fits best predicts its spikes, linearly, over the "
        f"{everything[:, 0].size:,} steps and places; a kept channel is predicted from the others. {_medians(table)}",
        SEC,
        "; ".join(f"{name}, {note}" for name, note in zip(names, notes, strict=True)),
        html=partial(_tiles, maps, notes),
    )


def _note(row: pd.Series) -> str:
    fit = f"R²\u00a0{row['predicted']:.2f}" if row["best kept channel"] >= 0 else "R²\u00a0–"  # on one line of a tile
    return f"strength {row['strength']:.2f}, rate {row['rate']:.2f}, {fit}"


def _medians(table: pd.DataFrame) -> str:
    """How well dropped and kept channels are predicted, in words."""
    parts = []
    for part, own in (("dropped", table[~table["kept"]]), ("kept", table[table["kept"]])):
        known = own["predicted"].dropna()
        if len(known):
            parts.append(f"{known.median():.2f} of the {len(known)} {part} ones")
    return f"Median of those that fire: {', '.join(parts)}." if parts else "No kept channel fires."


def _tiles(maps: Maps, notes: list[str]) -> str:
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    return strip(map_tiles(maps, notes), 3, 96, 140) + rate_bar(maps.label)


def _over_samples(scene: Scene, layer: str, chosen: int) -> Study:
    """Rates of all masked channels over test samples; one run serves every threshold and layer."""
    from spikeviz.evaluation.channel_survey import channel_survey
    from spikeviz.evaluation.job import duration
    from spikeviz.interventions import MaskChannels
    from spikeviz.metrics.channel_masks import masked_layers

    run = scene.now
    some = data_sets.some(run.card.data, SAMPLES)
    layers = list(masked_layers(run.model))
    settings = (MaskChannels(0.0), *unmasked(run).interventions)

    def work() -> Iterator[tuple[int, dict[str, Tensor]]]:
        yield from channel_survey(run.model, some.batch, layers, settings)

    total, seconds = len(some), len(some) * run.network.milliseconds / 1000
    return Study(
        f"channels {run.card.sha256} {settings!r} {total}",
        f"What channels carry over {total:,} {run.samples}",
        total,
        work,
        partial(_surveyed, scene, layer, chosen, some),
        f"Run over {total:,} {run.samples.removeprefix('test ')}",
        f"What every masked channel fires, all of them kept: at most {duration(seconds)}, once for all thresholds and "
        "layers.",
        data=some.data,
    )


def _surveyed(
    scene: Scene, layer: str, chosen: int, some: data_sets.Some, rates: dict[str, Tensor], progress: Progress
) -> Iterator[Item]:
    from spikeviz.metrics.channel_masks import explained
    from spikeviz.views.channel_masks.charts import carried_chart, carried_table, strength_and_rate

    run, labels, tables = scene.now, some.labels[: len(rates[layer])], {}
    for name, found in rates.items():
        tables[name] = by_channel(run, name, found.mean(0).numpy(), found.numpy())
        tables[name]["explained"] = explained(found, labels).numpy()
    data = f"the first {len(labels):,} {run.samples} of {run.card.data}, all channels kept"
    over = Figure(
        strength_and_rate(
            tables[layer], threshold(run), chosen, f"Channels of {run.network.words(layer)}, test samples"
        ),
        f"{data[0].upper()}{data[1:]}, {run.recording.device.upper()}, {progress.seconds:.0f} s.",
        SEC,
        f"Mean firing rate of {len(tables[layer])} channels against the strength of their mask",
        over=Over(data),
    )
    carried = Figure(
        carried_chart(tables, run.network.names),
        f"{verdict(tables)} By class: share of the variance of a channel's rate between samples that lies between "
        "classes. By a kept one: R² of its rate, predicted linearly from the one kept channel that fits best; a kept "
        "channel is predicted from the others.",
        "SDMFormer, sec. 3.2",
        html=partial(carried_table, tables, run.network.names),
        over=Over(data),
    )
    yield Row([over], [carried])


def verdict(tables: dict[str, pd.DataFrame]) -> str:
    """How dropped channels differ from the kept ones of their layer in what they fire, say of the class, and share.

    Within layers, since most dropped channels are of other layers than most kept ones.
    """
    import pandas as pd

    whole = pd.concat(tables.values())
    if whole["kept"].nunique() == 1:
        return f"At this threshold every channel is {'kept' if whole['kept'].all() else 'dropped'}."
    named = {"rate": ("rate", "+.3f", ".3f"), "explained": ("by class", "+.1%", ".1%")}
    named |= {"predicted": ("by a kept one", "+.2f", ".2f")}
    parts = [f"{name} {_difference(tables, column, *forms)}" for column, (name, *forms) in named.items()]
    return f"Dropped minus kept channels of a layer, mean ± standard error over channels: {'; '.join(parts)}."


def _difference(tables: dict[str, pd.DataFrame], column: str, form: str, error_form: str) -> str:
    """Mean over layers of the difference between dropped and kept channels, and whether it is one, also by layer.

    As `-0.100 ± 0.010, lower (by layer: 6 lower, 2 no difference found)`. A layer counts where there are two channels
    of each at least, so that their spread is known. Where clear differences go both ways, their mean says nothing.
    """
    differences, squares = [], []
    for table in tables.values():
        dropped, live = (table[table["kept"] == which][column].astype(float).dropna() for which in (False, True))
        if min(len(dropped), len(live)) > 1:
            differences.append(dropped.mean() - live.mean())
            squares.append(dropped.var() / len(dropped) + live.var() / len(live))
    if not differences:
        return "of too few channels to compare"
    apart, error = sum(differences) / len(differences), sqrt(sum(squares)) / len(squares)
    each = Counter(_says(of, sqrt(square)) for of, square in zip(differences, squares, strict=True))
    both_ways = each["lower"] and each["higher"]
    says = "which way depends on the layer" if both_ways else _says(apart, error)
    layers = ", ".join(f"{each[word]} {word}" for word in ("lower", "higher", NONE) if each[word])
    return f"{apart:{form}} ± {error:{error_form}}, {says} (by layer: {layers})"


def _says(apart: float, error: float) -> str:
    from spikeviz.evaluation.pairs import SURE

    return NONE if abs(apart) <= max(SURE * error, ROUNDING) else "lower" if apart < 0 else "higher"
