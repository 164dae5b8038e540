"""Which channels die under learned masks, and what they carried: on one input, and over test samples."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.interventions import MaskChannels
from spikeviz.ui import cards, jobs, runs
from spikeviz.ui.experiment import remember, shown, taken
from spikeviz.ui.masks import SEC, all_kept, choose_layer, kept, masked_layer, others, spikes
from spikeviz.ui.viewer import chosen_neuron

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from spikeviz.ui.lab import Lab

SAMPLES = 512
BATCH = 64
TELLING = 8  # dropped channels that are shown


def channels(lab: Lab) -> None:
    """Every channel of a masked layer: its mask and what it fires; maps of the chosen one and of those that died."""
    from spikeviz.figures.channel_masks import channel_maps, strength_and_rate
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    layer, mask = masked_layer(lab)
    choose_layer(lab, layer)
    everything = spikes(all_kept(lab), layer)
    table = _channels(lab, mask, everything.mean((0, 2, 3)))
    neuron = chosen_neuron(layer, lab.now.recording[f"{layer}.spike"].values[:, 0])
    left, right = st.columns(2, gap="large")
    with left:
        lab.figure(
            strength_and_rate(table, lab.now.threshold, neuron[0], f"Channels of {layer}, this input"),
            "A dot is a channel: how strong its mask is, and how much it fires on this input with all channels kept. "
            f"The dashed lines are the threshold and the rate of channel {neuron[0]}.",
            SEC, term="firing rate",
            alt=f"Firing rate of {len(table)} channels against the strength of their mask",
        )  # fmt: skip
        _choose_channel(lab, layer, neuron, len(table))
    with right:
        dropped = table[~table["kept"]].sort_values("rate", ascending=False, kind="stable")["channel"]
        first = [neuron[0], *(c for c in dropped if c != neuron[0])][: TELLING + 1]
        names = [f"channel {c}, {'kept' if table['kept'][c] else 'dropped'}" for c in first]
        maps = channel_maps(everything, first, names, f"What channels carry · {layer}")
        notes = [f"strength {table['strength'][c]:.2f}, rate {table['rate'][c]:.2f}" for c in first]
        lab.figure(
            maps,
            f"This input, all channels kept: the chosen channel, then the dropped ones that fire most, of "
            f"{len(dropped)}. Ask of each whether a kept one shows the same.",
            html=strip(map_tiles(maps, notes), 3, 96, 140) + rate_bar(maps.label),
        )
    _over_samples(lab, layer, neuron[0])


def _channels(lab: Lab, mask: str, rates: np.ndarray) -> pd.DataFrame:
    """One row a channel of a mask: channel, strength, kept, rate."""
    import pandas as pd

    from spikeviz.nn.channel_masks import find_masks

    strength = find_masks(lab.now.opened.model)[mask].strength().detach().cpu().numpy()
    return pd.DataFrame({"channel": range(len(rates)), "strength": strength, "kept": kept(lab, mask), "rate": rates})


def _choose_channel(lab: Lab, layer: str, neuron: tuple[int, int, int], count: int) -> None:
    name = f"{lab.page}_channel_number"

    def take(channel: int) -> None:
        remember(f"neuron {layer}", (channel, *neuron[1:]))

    st.number_input(
        f"Channel, 0 to {count - 1}", 0, count - 1, step=1, key=shown(name, neuron[0]), width=132,
        on_change=taken, args=(name, take), help="A click on a neuron in the viewer chooses its channel as well",
    )  # fmt: skip


def _over_samples(lab: Lab, layer: str, chosen: int) -> None:
    """Rates of all masked channels over test samples; one run serves every threshold and layer."""
    from spikeviz.data.catalog import as_batch
    from spikeviz.metrics.channel_masks import channel_rates, masked_layers
    from spikeviz.simulation import simulate

    run = lab.now
    model, layers = run.opened.model, masked_layers(run.opened.model)
    x, y = runs.test_set(run.card.data)
    total = min(SAMPLES, len(x))
    settings = (MaskChannels(0.0), *others(run))

    def work():
        import torch

        found: dict[str, Tensor] = {}
        for start in range(0, total, BATCH):
            end = min(start + BATCH, total)
            recording = simulate(model, as_batch(x[start:end]), settings, [f"{name}.spike" for name in layers])
            new = {name: channel_rates(recording[f"{name}.spike"]) for name in layers}
            found = {name: torch.cat([found[name], rates]) if found else rates for name, rates in new.items()}
            yield end, found

    seconds = total * run.opened.milliseconds / 1000
    jobs.panel(
        f"channels {run.card.sha256} {settings!r} {total}", f"What channels carry over {total:,} {run.samples}",
        total, work, partial(_draw, lab, layer, chosen, y),
        label=f"Run over {total:,} {run.samples.removeprefix('test ')}",
        note=f"What every masked channel fires, all of them kept: about {jobs.duration(seconds)}, once for all "
        "thresholds and layers.",
    )  # fmt: skip


def _draw(lab: Lab, layer: str, chosen: int, y: Tensor, rates: dict[str, Tensor], job: jobs.Job) -> None:
    from spikeviz.figures.channel_masks import carried_chart, carried_table, strength_and_rate
    from spikeviz.metrics.channel_masks import explained, masked_layers

    tables, labels = {}, y[: len(rates[layer])]
    for name, mask in masked_layers(lab.now.opened.model).items():
        tables[name] = _channels(lab, mask, rates[name].mean(0).numpy())
        tables[name]["explained"] = explained(rates[name], labels).numpy()
    left, right = st.columns(2, gap="large")
    with left:
        cards.figure(
            strength_and_rate(tables[layer], lab.now.threshold, chosen, f"Channels of {layer}, test samples"),
            f"The first {len(labels):,} {lab.now.samples} of {lab.now.card.data}, all channels kept, {job.seconds:.0f} "
            "s.",
            page=f"{lab.page}_over", files=job.over,
            alt=f"Mean firing rate of {len(tables[layer])} channels against the strength of their mask",
        )  # fmt: skip
    with right:
        cards.figure(
            carried_chart(tables),
            f"{verdict(tables)} Explained by class: the share of the variance of a channel's rate between samples that "
            "lies between classes. What a masked channel says, a kept one may say as well.",
            page=f"{lab.page}_over", html=carried_table(tables), files=job.over,
        )  # fmt: skip


def verdict(tables: dict[str, pd.DataFrame]) -> str:
    """What kept and dropped channels fire and say about the class, in words, over all layers."""
    import pandas as pd

    whole = pd.concat(tables.values())
    live, dead = whole[whole["kept"]].mean(), whole[~whole["kept"]].mean()
    if whole["kept"].nunique() == 1:
        return f"At this threshold every channel is {'kept' if whole['kept'].all() else 'dropped'}."
    fire, know = (_compared(dead[name], live[name], form) for name, form in (("rate", ".3f"), ("explained", ".1%")))
    return f"Dropped channels fire {fire} kept ones; class explains {know} it does of theirs."


def _compared(one: float, other: float, form: str) -> str:
    """`less (0.100 against 0.200) than`; what looks alike as it is written counts as alike."""
    a, b = format(one, form), format(other, form)
    return f"as much ({a}) as" if a == b else f"{'less' if one < other else 'more'} ({a} against {b}) than"
