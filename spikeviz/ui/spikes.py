"""The figures of one recording as cards: maps, curves, raster, one neuron, operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.ui import cards
from spikeviz.ui.controls import seed
from spikeviz.ui.experiment import recall, remember

if TYPE_CHECKING:
    from torch import Tensor

    from spikeviz.cards import CheckpointCard
    from spikeviz.recording import Recording
    from spikeviz.ui.inputs import Input
    from spikeviz.ui.runs import Numbers

RASTER_NEURONS = 48


def shares(recording: Recording):
    """The confidence in each class: softmax of the logits, mean over time."""
    return recording.output[0].float().softmax(0).cpu().numpy()


def prediction(recording: Recording, shown: Input, card: CheckpointCard) -> None:
    """The input, what it is taken for, and how sure the network is of each class."""
    from spikeviz.data.catalog import find_data
    from spikeviz.figures.prediction import prediction_bars

    classes, confidence = find_data(card.data).classes, shares(recording)
    best = int(confidence.argmax())
    truth = "" if shown.label is None else f" · it is: {classes[shown.label]}"
    st.markdown(f"**{classes[best]}** {confidence[best]:.0%}{truth}")
    st.html(prediction_bars(confidence, classes, shown.label))
    st.caption("Confidence: softmax of the logits, mean over t.")
    if shown.notes:
        st.caption(f"Your picture was {', '.join(shown.notes)}.")


def input_tile(shown: Input) -> str:
    """The input as the network gets it."""
    from spikeviz.figures.maps import photograph, tile

    return tile(photograph(shown.pixels.numpy()), "input", shown.title, f"Input: {shown.title}")


def viewer(recording: Recording, layer: str, shown: Input, card: CheckpointCard) -> None:
    """The T maps of a layer and their mean, beside input and prediction."""
    from spikeviz.figures.maps import rate_bar, rate_tiles, strip
    from spikeviz.metrics import spike_maps

    track = recording[f"{layer}.spike"]
    maps = spike_maps(track).numpy()
    mean = maps.mean(0)
    steps, (_, _, channels, height, width) = len(maps), track.values.shape
    picture, words = st.columns([2.9, 1], gap="medium")
    with words:
        prediction(recording, shown, card)
    with picture:
        titles = [f"t = {t}" for t in range(1, steps + 1)] + ["mean over t"]
        every = [*maps, mean]
        notes = [f"mean {m.mean():.2f} max {m.max():.2f}" for m in every]
        tiles = [input_tile(shown), *rate_tiles(every, titles, notes, f"Spike map of {layer}")]
        cards.picture(
            strip(tiles, len(tiles) if len(tiles) < 7 else -(-len(tiles) // 2))
            + rate_bar(f"share of the {channels} channels that fire at a place"),
            f"{layer} · {channels} channels of {height} x {width} neurons",
            "What to notice: a place that is bright at every t fires whatever the step; one that comes and goes is "
            "where time adds something.",
            "E-SpikeFormer, Fig. 8",
        )


def nsfr(numbers: Numbers) -> None:
    """NSFR at each step."""
    from spikeviz.figures.curves import nsfr_curve

    values = numbers.nsfr.numpy()
    cards.chart(
        nsfr_curve(values),
        f"Network spike firing rate · this image, mean {values.mean():.3f}",
        "The share of all neurons of the network that fire at a step. Every membrane starts at 0, so the first step "
        "differs from the rest. The paper's curves are means over a test set; this is one image.",
        "E-SpikeFormer, sec. 5.3",
        key="maps_nsfr",
        alt="Network spike firing rate against the time step: " + ", ".join(f"{v:.3f}" for v in values),
    )


def rates(numbers: Numbers, layer: str) -> None:
    """Firing rate of every layer, mean over time."""
    from spikeviz.figures.curves import layer_bars

    table = numbers.rates.groupby("layer", sort=False)["rate"].mean().rename(lambda name: name.removesuffix(".spike"))
    cards.chart(
        layer_bars(list(table.index), table.tolist(), "firing rate, mean over t", layer),
        "Firing rate by layer",
        f"Spikes per neuron and step; the chosen layer, at {table[layer]:.3f}, is marked. A layer near 0 is silent.",
        key="maps_rates",
        alt="Firing rate of each layer, mean over time: " + ", ".join(f"{n} {r:.3f}" for n, r in table.items()),
    )


def operations(numbers: Numbers) -> None:
    """Operations and energy of every weighted product."""
    from spikeviz.figures.operations import operations_table
    from spikeviz.metrics import ENERGY

    cards.picture(
        operations_table(numbers.operations),
        "Operations and energy by layer · this image",
        f"A spike costs one addition (SOP) for each output it reaches, a real number a multiply-accumulate (MAC). "
        f"Energy: {ENERGY.mac_pj} pJ a MAC, {ENERGY.ac_pj} pJ a SOP, estimated from operation counts; no hardware was "
        "measured.",
        ENERGY.source,
    )


def raster(recording: Recording, layer: str) -> None:
    """Spikes of some neurons of the layer."""
    from spikeviz.figures.raster import raster as figure
    from spikeviz.metrics import raster as spikes

    track = recording[f"{layer}.spike"]
    shown = spikes(track, limit=RASTER_NEURONS)
    _, _, _, height, width = track.values.shape
    places = [divmod(n, height * width) for n in shown.neurons.tolist()]
    names = [f"channel {c}, row {r // width}, column {r % width}" for c, r in places]
    cards.chart(
        figure(shown, names),
        f"Raster · {layer}",
        f"Each row is one of {len(names)} neurons spread evenly over the layer; a tick is a spike. Rows full of ticks "
        "fire whatever comes.",
        key="maps_raster",
        alt=f"Raster of {len(names)} neurons of {layer}: {len(shown.rows)} spikes in {shown.length} steps",
    )


def neuron(recording: Recording, layer: str, page: str) -> None:
    """One neuron: where it is, its membrane, its spikes."""
    from spikeviz.figures.maps import rate_tiles, strip
    from spikeviz.figures.membrane import membrane
    from spikeviz.metrics import membrane_trace

    spikes = recording[f"{layer}.spike"].values[:, 0]
    st.markdown(f"**Membrane of one neuron · {layer}**")
    place = _choose_neuron(spikes, layer, page)
    trace = membrane_trace(recording, layer, place)
    potential, fired = trace.potential.float().numpy(), trace.spikes.numpy()
    cards.chart(
        membrane(potential, fired, trace.threshold),
        "",
        f"It fires at {int((fired > 0).sum())} of {len(fired)} steps: whenever the potential, shown before its reset, "
        "reaches the dashed threshold.",
        "Spikformer V2, sec. 3",
        key="maps_membrane",
        alt=f"Membrane potential of neuron {place}: " + ", ".join(f"{v:.2f}" for v in potential),
    )
    channel = spikes[:, place[0]].float().cpu().numpy()
    titles = [f"t = {t}" for t in range(1, len(channel) + 1)]
    notes = [f"{int(m.sum())} spikes" for m in channel]
    cards.picture(
        strip(rate_tiles(channel, titles, notes, f"Channel {place[0]}", place[1:]), max(4, len(channel)), 60, 120),
        "",
        f"Channel {place[0]}: yellow neurons fire; the frame marks the chosen one.",
    )


def _choose_neuron(spikes: Tensor, layer: str, page: str) -> tuple[int, int, int]:
    """Channel, row and column; a layer seen for the first time starts at a neuron that has something to show."""
    start = recall(f"neuron {layer}") or telling_neuron(spikes)
    place = []
    with st.container(horizontal=True, gap="small", key=f"{page}_neuron_row"):
        for name, size, value in zip(("Channel", "Row", "Column"), spikes.shape[1:], start, strict=True):
            key = f"{page}_{name.lower()} {layer}"
            seed(key, value, 0, size - 1)
            place.append(st.number_input(f"{name}, 0 to {size - 1}", 0, size - 1, step=1, key=key, width=108))
    return remember(f"neuron {layer}", tuple(place))


def telling_neuron(spikes: Tensor) -> tuple[int, int, int]:
    """The neuron nearest to the centre that fires at some steps and not at all of them, if there is one."""
    _, height, width = spikes.shape[1:]
    fired = spikes.sum(0, dtype=int).cpu()
    places = (((fired > 0) & (fired < len(spikes))).nonzero() if len(spikes) > 1 else fired.nonzero()).tolist()
    if not places:
        return 0, height // 2, width // 2
    nearest = min(places, key=lambda p: ((p[1] - height / 2) ** 2 + (p[2] - width / 2) ** 2, -int(fired[tuple(p)])))
    return nearest[0], nearest[1], nearest[2]


def tower(recording: Recording, layers: list[str], shown: Input) -> None:
    """All neurons of some layers, from the stem to the last block."""
    from spikeviz.figures.maps import channel_mosaic, rate_bar, strip, tile

    chosen = [layer for layer in layers if layer.startswith("stem")] + [n for n in layers if n.endswith("mlp.hidden")]
    tiles, fired, neurons = [input_tile(shown)], 0, 0
    for layer in chosen[:7]:
        values = recording[f"{layer}.spike"].values[:, 0].float().cpu()
        rate, shape = float(values.mean()), " x ".join(str(n) for n in values.shape[1:])
        alt = f"Spikes of {layer}: {shape} neurons, {rate:.0%} of them at a step"
        tiles.append(tile(channel_mosaic(values.mean(0).numpy()), layer, f"{shape}, rate {rate:.2f}", alt))
    for name in layers:
        values = recording[f"{name}.spike"].values
        fired, neurons = fired + int(values.sum(dtype=int)), neurons + values[0].numel()
    steps = recording.logits_per_step.shape[0]
    cards.picture(
        strip(tiles, 4, 104, 330) + rate_bar(f"share of the {steps} steps at which a neuron fires"),
        f"{fired:,} spikes of {neurons:,} neurons in {steps} steps",
        "What to notice: a square holds the channels of a layer, a pixel is a neuron. The picture dissolves from "
        "outlines into a code that no eye reads.",
        "Spikformer V2, sec. 3.2",
    )
