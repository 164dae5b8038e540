"""The figures of spikes: maps, curves, raster, one neuron, operations, and a survey over many images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.ui import cards, jobs, runs
from spikeviz.ui.experiment import recall, remember, shown, taken
from spikeviz.ui.viewer import Side, viewer

if TYPE_CHECKING:
    from spikeviz.artifacts.packed_spikes import Film
    from spikeviz.ui.lab import Lab, Run

RASTER_NEURONS = 48
SURVEY_IMAGES = 1024
FIG_8 = "E-SpikeFormer, sec. 5.3 and Fig. 8"


def prediction(film: Film, name: str = "") -> None:
    """What the input is taken for, and how sure the network is of each class; `name` is A or B where there are two."""
    from spikeviz.figures.prediction import prediction_bars

    classes, label, notes = film.facts["classes"], film.facts["label"], film.facts.get("notes", ())
    logits = np.asarray(film.facts["logits"])
    confidence = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    best = int(confidence.argmax())
    truth = "" if label is None else f" · it is: {classes[label]}"
    st.markdown(f"{name and name + ': '}**{classes[best]}** {confidence[best]:.0%}{truth}")
    st.html(prediction_bars(confidence, classes, label))
    st.caption("Confidence: softmax of the logits, mean over t.")
    if notes:
        st.caption(f"{film.facts['title'][0].upper()}{film.facts['title'][1:]}: {', '.join(notes)}.")


def spike_viewer(lab: Lab) -> None:
    """The maps of a layer, of one setting or two, beside the prediction."""
    from spikeviz.figures.chart import Maps

    sides = [Side(name, run.said, run.film) for name, run in lab.runs]
    reel = sides[-1].film.reels[lab.layer]
    _, channels, height, width = reel.shape
    label = f"share of the {channels} channels that fire"
    exhibits = []
    for side in sides:
        maps = side.film.reels[lab.layer].maps if lab.layer in side.film.reels else None
        if maps is not None:
            name = f"{lab.layer}{f', {side.name}' if lab.held else ''}"
            times = [*(side.film.when(step) for step in range(1, len(maps) + 1)), "mean over t"]
            exhibits.append(Maps(f"Spike maps · {name}", np.concatenate([maps, maps.mean(0)[None]]), times, label))
    if len(exhibits) == 2 and exhibits[0].maps.shape[1:] == exhibits[1].maps.shape[1:]:
        both = min(len(e.maps) for e in exhibits) - 1  # the steps that both have, and their means
        change = [np.concatenate([e.maps[:both], e.maps[-1:]]) for e in exhibits]
        alike = exhibits[0].titles[:both] == exhibits[1].titles[:both]
        steps = exhibits[1].titles[:both] if alike else [f"step {step}" for step in range(1, both + 1)]
        names = [*steps, "mean over t"]
        exhibits.append(Maps(f"Spike maps · {lab.layer}, A−B", change[0] - change[1], names, label, "difference"))
    wanted = next((e for e in exhibits if e.title.endswith(f", {recall('side')}")), exhibits[min(1, len(exhibits) - 1)])
    integers = sides[-1].film.depth > 1
    notice = "What to notice: " + (
        "a neuron that counts C fires at d = 1 .. C, so that from d to d a place can only grow darker; what is left at "
        "the last d is where neurons fire all they may."
        if integers
        else "a place that is bright at every t fires whatever the step; one that comes and goes is where time adds "
        "something."
    )
    picture, words = st.columns([2.9, 1], gap="medium")
    with picture:
        cards.title(wanted, lab.page, "spike map")
        viewer(sides, lab.layer, lab.neuron, f"{lab.page}_viewer")
        with st.container(key="viewer_still"):
            _still(lab, exhibits)
        st.caption(f"{channels} channels of {height} x {width} neurons. {notice} *{FIG_8}*")
    with words:
        for side in sides:
            prediction(side.film, side.name if lab.held else "")
    lab.exhibits += [(exhibit, notice) for exhibit in exhibits]


def _still(lab: Lab, exhibits: Sequence) -> None:
    """The same maps as pictures: what is seen until the viewer has drawn, and where it cannot."""
    from spikeviz.figures.render_html import photograph, scale_bar, strip, tile

    rows, inputs = [], {f", {name}": run.shown for name, run in lab.runs}
    for exhibit in exhibits:
        shown = inputs.get(exhibit.title[-3:], lab.now.shown)  # of A and B each its own; beside A−B that of B
        tiles = [tile(photograph(shown.picture), "input", shown.title, shown.title)]
        for title, values, pixels in zip(exhibit.titles, exhibit.maps, exhibit.pixels(), strict=True):
            note = f"mean {values.mean():.2f} max {values.max():.2f}"
            alt = f"{exhibit.title}, {title}: {values.shape[0]} by {values.shape[1]} neurons, {note}"
            tiles.append(tile(pixels, title, note, alt))
        rows.append(strip(tiles, len(tiles) if len(tiles) < 7 else -(-len(tiles) // 2)))
        rows.append(scale_bar(exhibit.label, exhibit.quantity))
    st.html("".join(rows))


def nsfr(lab: Lab) -> None:
    """NSFR at each step, of both settings."""
    from spikeviz.figures.curves import nsfr_curve

    values = lab.now.numbers.nsfr.numpy()
    integers = len(values) > len(lab.now.recording.logits_per_step)
    why = (
        "An integer fires its spikes first, so that within a time step the curve cannot rise."
        if integers
        else "Every membrane starts at 0, so the first step differs from the rest."
    )
    lab.figure(
        nsfr_curve(
            values,
            lab.held and lab.held.numbers.nsfr.numpy(),
            x="binary step (t, d)" if integers else "time step t",
        ),
        f"This image, mean {values.mean():.3f}: the share of all neurons of the network that fire at a step. {why} The "
        "paper's curves are means over a test set.",
        "E-SpikeFormer, sec. 5.3",
        alt="Network spike firing rate against the time step: " + ", ".join(f"{v:.3f}" for v in values),
        term="NSFR",
    )


def rates(lab: Lab) -> None:
    """Firing rate of every layer, mean over time."""
    from spikeviz.figures.curves import layer_bars

    table = lab.now.numbers.rates.groupby("layer", sort=False)["rate"].mean()
    table = table.rename(lambda name: name.removesuffix(".spike"))
    lab.figure(
        layer_bars(
            list(table.index), table.tolist(), "firing rate, mean over t", lab.layer, title="Firing rate by layer"
        ),
        f"Spikes per neuron and step; the chosen layer, {table[lab.layer]:.3f}, is marked. A layer near 0 is silent.",
        alt="Firing rate of each layer, mean over time: " + ", ".join(f"{n} {r:.3f}" for n, r in table.items()),
        term="firing rate",
    )


def operations(lab: Lab) -> None:
    """Operations and energy of every weighted product."""
    from spikeviz.figures.operations import operations_chart, operations_table
    from spikeviz.metrics import ENERGY

    table = lab.now.numbers.operations
    lab.figure(
        operations_chart(table, title="Operations and energy by layer"),
        f"This image. A spike costs one addition (SOP) for each output it reaches, a real number a multiply-accumulate "
        f"(MAC). Energy: {ENERGY.mac_pj} pJ a MAC, {ENERGY.ac_pj} pJ a SOP, estimated from operation counts; no "
        "hardware was measured.",
        ENERGY.source,
        html=operations_table(table),
        term="SOP",
    )


def raster(lab: Lab) -> None:
    """Spikes of some neurons of the layer."""
    from spikeviz.figures.raster import raster as figure
    from spikeviz.metrics import raster as spikes

    track = lab.now.recording[f"{lab.layer}.spike"]
    shown = spikes(track, limit=RASTER_NEURONS)
    _, _, _, height, width = track.values.shape
    places = [divmod(n, height * width) for n in shown.neurons.tolist()]
    names = [f"channel {c}, row {r // width}, column {r % width}" for c, r in places]
    lab.figure(
        figure(shown, names, title=f"Raster · {lab.layer}"),
        f"Each row is one of {len(names)} neurons spread evenly over the layer; a tick is a spike. Rows full of ticks "
        "fire whatever comes.",
        alt=f"Raster of {len(names)} neurons of {lab.layer}: {len(shown.rows)} spikes in {shown.length} steps",
        term="spike",
    )


def neuron(lab: Lab) -> None:
    """One neuron: where it is, its membrane, its spikes, its equation with the numbers of the moment."""
    from spikeviz.figures.membrane import membrane
    from spikeviz.metrics import membrane_trace

    trace = membrane_trace(lab.now.recording, lab.layer, lab.neuron)
    potential, fired = trace.potential.float().numpy(), trace.spikes.numpy()
    channel, row, column = lab.neuron
    levels = lab.now.recording[f"{lab.layer}.spike"].levels
    fires = (
        f"It fires {', '.join(f'{c:.0f}' for c in fired)} of up to D = {levels} spikes: the potential, shown before "
        "its reset, rounded; a first one from the dashed threshold on."
        if levels > 1
        else f"It fires at {int((fired > 0).sum())} of {len(fired)} steps: whenever the potential, shown before its "
        "reset, reaches the dashed threshold."
    )
    lab.figure(
        membrane(
            potential,
            fired,
            trace.threshold,
            title=f"Membrane · {lab.layer} {channel}.{row}.{column}",
        ),
        f"{fires} Click another one in the viewer. The numbers: channel, row, column.",
        "Spikformer V2, sec. 3",
        alt=f"Membrane potential of neuron {lab.neuron}: " + ", ".join(f"{v:.2f}" for v in potential),
        term="membrane",
    )
    formula(lab.now, trace.threshold)
    _choose_neuron(lab, lab.now.recording[f"{lab.layer}.spike"].values[:, 0].shape)


def formula(run: Run, threshold: float | None) -> None:
    """What a leaky neuron computes, with the numbers of the moment."""
    from spikeviz.interventions import TimeConstant
    from spikeviz.ui.controls import dynamics

    tau = next((s.value(run.experiment) for s in dynamics(run.opened.model) if s.kind is TimeConstant), None)
    if tau is not None and threshold is not None:
        st.markdown(
            rf"$H_t = V_{{t-1}} + \frac{{1}}{{{tau:.2f}}}\,(X_t - V_{{t-1}})$, a spike where "
            rf"$H_t \geq {threshold:.2f}$, "
            r"then $V_t = 0$, else $V_t = H_t$"
        )


def _choose_neuron(lab: Lab, shape: Sequence[int]) -> None:
    """Channel, row and column as numbers: the keyboard's way, and that of a page without its viewer."""
    with st.container(horizontal=True, gap="small", key=f"{lab.page}_neuron_row"):
        for axis, (label, size) in enumerate(zip(("Channel", "Row", "Column"), shape[1:], strict=True)):
            name = f"{lab.page}_{label.lower()}"
            st.number_input(
                f"{label}, 0 to {size - 1}", 0, size - 1, step=1, key=shown(name, lab.neuron[axis]), width=108,
                on_change=taken, args=(name, partial(_take_number, lab, axis)),
            )  # fmt: skip


def _take_number(lab: Lab, axis: int, index: int) -> None:
    place = list(lab.neuron)
    place[axis] = index
    remember(f"neuron {lab.layer}", tuple(place))


def survey(lab: Lab) -> None:
    """NSFR and accuracy over many test images: what one image cannot say."""
    from spikeviz.evaluation import survey as over
    from spikeviz.figures.curves import nsfr_curve

    run = lab.now
    batch, y = runs.some(run.card.data, SURVEY_IMAGES)
    title = f"Over {len(y):,} {run.samples}"

    def work():
        for so_far in over(run.opened.model, batch(), y, run.experiment.interventions, run.experiment.seed):
            yield so_far.images, so_far

    def draw(so_far, job) -> None:
        values = so_far.nsfr.numpy()
        cards.figure(
            nsfr_curve(values, title=f"NSFR over {so_far.images:,} {run.samples}"),
            f"The first {so_far.images:,} {run.samples} of {run.card.data}, {run.said}: accuracy {so_far.accuracy:.3f} "
            f"± {so_far.error:.3f} (standard error), NSFR {values.mean():.3f}, {job.seconds:.0f} s.",
            page=f"{lab.page}_survey",
            alt="NSFR over many images: " + ", ".join(f"{v:.3f}" for v in values),
            files=job.over,
        )

    setting = (run.card.sha256, repr(run.experiment.but(source="")), len(y))
    seconds = len(y) * run.opened.milliseconds / 1000
    jobs.panel(
        f"survey {setting}", title, len(y), work, draw,
        label=f"Run over {len(y):,} {run.samples.removeprefix('test ')}",
        note=f"NSFR and accuracy of this setting over the first {len(y):,} {run.samples}, about {seconds:.0f} s.",
    )  # fmt: skip


def tower(film: Film) -> None:
    """All neurons of some layers, from the stem to the last block."""
    from spikeviz.figures.render_html import channel_mosaic, photograph, rate_bar, strip, tile

    layers = list(film.reels)
    chosen = [n for n in layers if n.startswith("stem")] + [n for n in layers if n.endswith("mlp.hidden")]
    places = np.linspace(0, len(chosen) - 1, min(7, len(chosen))).round().astype(int)  # the first and the last of them
    tiles = [tile(photograph(film.pixels), "input", film.facts["title"], f"Input: {film.facts['title']}")]
    for layer in (chosen[place] for place in places):
        spikes = film.reels[layer].spikes
        rate, shape = float(spikes.mean()), " x ".join(str(n) for n in spikes.shape[1:])
        alt = f"Spikes of {layer}: {shape} neurons, {rate:.0%} of them at a step"
        tiles.append(tile(channel_mosaic(spikes.mean(0)), layer, f"{shape}, rate {rate:.2f}", alt))
    fired = sum(reel.count for reel in film.reels.values())
    neurons = sum(int(np.prod(reel.shape[1:])) for reel in film.reels.values())
    st.markdown(f"**{fired:,} spikes of {neurons:,} neurons in {film.steps} steps**")
    st.html(strip(tiles, 4, 104, 330) + rate_bar(f"share of the {film.steps} steps at which a neuron fires"))
    st.caption(
        "What to notice: a square holds the channels of a layer, a pixel is a neuron. The picture dissolves from "
        "outlines into a code that no eye reads. *Spikformer V2, sec. 3.2*"
    )
