"""Views of spikes that several pages share: curves, raster, one neuron, operations, a survey."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeviz.artifacts.packed_spikes import mean_over
from spikeviz.display import plural
from spikeviz.views import data_sets
from spikeviz.views.address import CHARTS, neuron_of
from spikeviz.views.captions import dynamics
from spikeviz.views.layers.names import words as in_words
from spikeviz.views.networks.words import whole_test_set
from spikeviz.views.sharing.answers import ClassAnswer
from spikeviz.views.view import Figure, Item, Markup, Note, Option, Over, Progress, Row, Study

if TYPE_CHECKING:
    from spikeviz.artifacts.packed_spikes import PackedSpikes
    from spikeviz.evaluation import Survey
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene, Side

RASTER_NEURONS = 48
SURVEY_IMAGES = 1024
FIG_8 = "E-SpikeFormer, sec. 5.3 and Fig. 8"


def prediction(packed: PackedSpikes, name: str = "") -> Iterator[Item]:
    """What the input is taken for, and how sure the network is of each class; `name` is A or B where there are two."""
    from spikeviz.figures.prediction import prediction_bars

    notes = packed.facts.get("notes", ())
    found = ClassAnswer(packed.facts["logits"], packed.facts["classes"], packed.facts["label"])
    best, rest = found.parts
    yield Note(f"{name and name + ': '}**{best}**{rest}", "text")
    yield Markup(prediction_bars(found.confidence, found.classes, found.label))
    yield Note(f"Confidence: softmax of {dynamics.with_mean('the logits', mean_over(packed.facts['steps']))}.")
    if foreign := packed.facts.get("foreign"):
        yield Note(foreign)
    if notes:
        title = packed.facts["title"]
        yield Note(f"{title[0].upper()}{title[1:]}: {', '.join(notes)}.")


def nsfr(scene: Scene) -> Iterator[Item]:
    """NSFR at each step, of both settings."""
    from spikeviz.figures.spikes import nsfr_curve

    values = scene.now.numbers.nsfr.numpy()
    depth = scene.now.packed.depth
    why = (
        "An integer fires its spikes first, so within a time step the curve cannot rise."
        if depth > 1
        else dynamics.first_step(scene.now.model, values.tolist())
    )
    yield Figure(
        nsfr_curve(
            values,
            scene.compared.numbers.nsfr.numpy() if scene.compared else None,
            x=_steps(depth),
        ),
        f"{_input(scene.sides[-1])}, mean {values.mean():.3f}: the share of all neurons of the network that fire at a "
        "step. "
        f"{why + ' ' if why else ''}The paper's curves are means over a test set.",
        "E-SpikeFormer, sec. 5.3",
        "Network spike firing rate against the time step: " + ", ".join(f"{v:.3f}" for v in values),
        "NSFR",
    )


def _steps(depth: int) -> str:
    """What an axis of steps is called."""
    return "binary step (t, d)" if depth > 1 else "time step t"


def charted(scene: Scene) -> Generator[Item, Any, Side]:
    """The side that the charts of one run show: asked for where there are two."""
    *others, side = scene.sides
    if not others:
        return side
    help = "Which side the charts show that show one run: rates, operations, raster, membrane"
    name = yield Option(CHARTS, "Charts of one run show", "B", ("A", "B"), form="buttons", help=help)
    return next(side for side in scene.sides if side.name == name)


def rates(side: Side) -> Iterator[Item]:
    """Firing rate of every layer, mean over time."""
    from spikeviz.figures.spikes import layer_bars

    table = side.run.numbers.rates.groupby("layer", sort=False)["rate"].mean()
    table = table.rename(lambda name: name.removesuffix(".spike"))
    names, title = side.run.network.names, f"Firing rate by layer{side.mark}"
    rate = dynamics.with_mean("firing rate", side.run.packed.mean)
    yield Figure(
        layer_bars(list(table.index), table.tolist(), rate, side.layer, title=title, names=names),
        f"Spikes per neuron and step; the chosen layer, {table[side.layer]:.3f}, is marked. A layer near 0 is silent.",
        alt=f"By layer, {rate}: " + ", ".join(f"{n} {r:.3f}" for n, r in table.items()),
        term="firing rate",
    )


def operations(side: Side) -> Iterator[Item]:
    """Operations and energy of every weighted product."""
    from spikeviz.figures.spikes import operations_chart, operations_table
    from spikeviz.metrics import ENERGY

    table = side.run.numbers.operations
    names = in_words(list(table["layer"]))
    yield Figure(
        operations_chart(table, title=f"Operations and energy by layer{side.mark}", names=names),
        f"{_input(side)}. A spike costs one addition (SOP) for each output it reaches, a real number a "
        f"multiply-accumulate (MAC). Energy: {ENERGY.mac_pj} pJ a MAC, {ENERGY.ac_pj} pJ a SOP, estimated from "
        "operation counts; no hardware was measured.",
        ENERGY.source,
        term="SOP",
        html=partial(operations_table, table, names),
    )


def raster(side: Side) -> Iterator[Item]:
    """Spikes of some neurons of the layer."""
    from spikeviz.figures.spikes import raster as chart
    from spikeviz.metrics import raster as spikes

    track = side.run.recording[f"{side.layer}.spike"]
    shown = spikes(track, limit=RASTER_NEURONS)
    _, _, _, height, width = track.values.shape
    places = [divmod(n, height * width) for n in shown.neurons.tolist()]
    names = [f"channel {c}, row {r // width}, column {r % width}" for c, r in places]
    yield Figure(
        chart(shown, names, title=f"Raster · {side.words}{side.mark}", x=_steps(track.levels)),
        f"{_input(side)}. Each row is one of {len(names)} neurons spread evenly over the layer; a tick is a spike.",
        alt=f"Raster of {len(names)} neurons of {side.words}: {plural(len(shown.rows), 'spike')} in "
        f"{plural(shown.length, 'step')}",
        term="spike",
    )


def _input(side: Side) -> str:
    """What a caption begins with: the input, and the settings where there are two of them."""
    return "This input" if side.alone else f"{side.name}: {side.run.shown.title}, {side.run.status_text}"


def neuron(side: Side) -> Iterator[Item]:
    """One neuron: where it is, its membrane, its spikes, its equation with the numbers of the moment."""
    from spikeviz.figures.spikes import membrane
    from spikeviz.metrics import membrane_trace

    trace = membrane_trace(side.run.recording, side.layer, side.neuron)
    potential, fired = trace.potential.float().numpy(), trace.spikes.numpy()
    channel, row, column = side.neuron
    track = side.run.recording[f"{side.layer}.spike"]
    fires = (
        f"It fires {', '.join(f'{c:.0f}' for c in fired)} of up to D = {track.levels} spikes: the potential, shown "
        "before its reset, rounded; a first one from the dashed threshold on."
        if track.levels > 1
        else f"It fires at {int((fired > 0).sum())} of {plural(len(fired), 'step')}. It would fire whenever the "
        "potential, shown before its reset, reached the dashed threshold."
        if not (fired > 0).any()
        else f"It fires at {int((fired > 0).sum())} of {plural(len(fired), 'step')}: whenever the potential, shown "
        "before its reset, reaches the dashed threshold."
    )
    title = f"Membrane · {side.words}, neuron {channel}.{row}.{column}{side.mark}"
    yield Figure(
        membrane(potential, fired, trace.threshold or 0.0, title=title),
        f"{fires} The numbers: channel, row, column.",
        dynamics.source(side.run.model, side.layer),
        f"Membrane potential of neuron {side.neuron}: " + ", ".join(f"{v:.2f}" for v in potential),
        "membrane",
    )
    if computes := dynamics.formula(side.run, side.layer):
        yield Note(computes, "text")
    shape = track.values[:, 0].shape
    yield Row(
        *(
            [neuron_option(side, axis, f"{label}, 0 to {shape[axis + 1] - 1}", shape[axis + 1])]
            for axis, label in enumerate(("Channel", "Row", "Column"))
        ),
        gap="small",
    )


def neuron_option(side: Side, axis: int, label: str, size: int, help: str = "") -> Option:
    """One of channel, row and column (axis 0 to 2) of the neuron as a number: the keyboard's way."""
    place = side.neuron

    def store(index: int) -> tuple[int, ...]:
        return (*place[:axis], int(index), *place[axis + 1 :])

    name = neuron_of(side.run.card.name, side.layer)
    return Option(name, label, place[axis], high=size - 1, form="number", store=store, width=132, help=help)


def survey(scene: Scene) -> Iterator[Item]:
    """NSFR and accuracy over many test samples: what one sample cannot say."""
    from spikeviz.evaluation import survey as over
    from spikeviz.evaluation.job import duration

    run = scene.now
    some = data_sets.some(run.card.data, SURVEY_IMAGES)

    def work() -> Iterator[tuple[int, Survey]]:
        for so_far in over(run.model, some.batch, some.labels, run.experiment.interventions, run.experiment.seed):
            yield so_far.images, so_far

    seconds = len(some) * run.network.milliseconds / 1000  # as single passes: a batch takes less for each
    yield Study(
        f"survey {(run.card.sha256, run.experiment.but(source=''), len(some))!r}",
        f"Over {len(some):,} {run.samples}",
        len(some),
        work,
        partial(_surveyed, run),
        f"Run over {len(some):,} {run.samples.removeprefix('test ')}",
        f"NSFR and accuracy of this setting over the first {len(some):,} {run.samples}, at most {duration(seconds)}.",
        data=some.data,
    )


def _surveyed(run: Run, found: Survey, progress: Progress) -> Iterator[Item]:
    from spikeviz.figures.spikes import nsfr_curve

    values = found.nsfr.numpy()
    yield Figure(
        nsfr_curve(values, title=f"NSFR over {found.images:,} {run.samples}"),
        f"The first {found.images:,} {run.samples} of {run.card.data}, {run.status_text}: accuracy "
        f"{found.accuracy:.3f} ± {found.error:.3f} (standard error), NSFR {values.mean():.3f}, "
        f"{progress.seconds:.0f} s. {whole_test_set(run.card)}",
        alt="NSFR over many samples: " + ", ".join(f"{v:.3f}" for v in values),
        over=Over(f"the first {found.images:,} {run.samples} of {run.card.data}"),
    )


def first_query(layers: Sequence[str]) -> str:
    """The first layer of queries: the first place that channel masks and random masks act on."""
    return next((layer for layer in layers if layer.endswith(".attn.q")), layers[0])


def layer_option(
    scene: Scene, layers: Sequence[str], layer: str, label: str = "Masked layer", help: str = ""
) -> Option:
    """Another layer; the viewer moves to it as well."""
    return Option("layer", label, layer, layers, width=264, help=help, titles=scene.now.network.words)


def tower(packed: PackedSpikes, run: Run | None) -> Iterator[Item]:
    """All neurons of some layers, from the stem to the last block; how often every layer fires.

    `run`: whose spikes were packed, None of a recording that ships; it has layers on no grid as well (a readout).
    """
    from spikeviz.figures.render_html import channel_mosaic, photograph, rate_bar, strip, tile
    from spikeviz.figures.spikes import layer_bars

    layers = list(packed.layers)
    names = in_words(layers)
    chosen = [n for n in layers if n.startswith("stem")] + [n for n in layers if n.endswith("mlp.hidden")]
    places = np.linspace(0, len(chosen) - 1, min(7, len(chosen))).round().astype(int)  # the first and the last of them
    title = packed.facts["title"]
    tiles = [tile(photograph(packed.pixels), "input", title, f"Input: {title}")]
    for layer in (chosen[place] for place in places):
        spikes = packed.layers[layer].spikes
        rate, shape = float(spikes.mean()), " x ".join(str(n) for n in spikes.shape[1:])
        alt = f"Spikes of {names[layer]}: {shape} neurons, {rate:.0%} of them at a step"
        tiles.append(tile(channel_mosaic(spikes.mean(0)), names[layer], f"{shape}, rate {rate:.2f}", alt))
    counted = _counted(packed, run)
    fired, neurons = (sum(part) for part in zip(*((count, size) for count, size, _ in counted.values()), strict=True))
    rates = [count / max(size * steps, 1) for count, size, steps in counted.values()]
    heading = f"{plural(fired, 'spike')} of {neurons:,} neurons in {plural(packed.steps, 'step')}"
    unit = dynamics.with_mean("firing rate", packed.mean)
    yield Figure(
        layer_bars(list(counted), rates, unit, title=heading, names=in_words(list(counted))),
        "What to notice: a square holds the channels of a layer, a pixel is a neuron. The picture goes from outlines "
        "to a code with no visible structure.",
        "Spikformer V2, sec. 3.1 and 3.2",
        html=lambda: (
            strip(tiles, 4, 104, 330) + rate_bar(f"share of {plural(packed.steps, 'step')} at which a neuron fires")
        ),
    )


def _counted(packed: PackedSpikes, run: Run | None) -> dict[str, tuple[int, int, int]]:
    """Of every layer its spikes, its neurons and its binary steps."""
    if run is None:
        return {
            name: (layer.count, int(np.prod(layer.shape[1:])), layer.shape[0]) for name, layer in packed.layers.items()
        }
    from spikeviz.metrics.firing import neurons, spike_counts

    counts = {name: (spike_counts(track), neurons(track)) for name, track in run.recording.of_kind("spike").items()}
    return {name.removesuffix(".spike"): (int(n.sum()), size, len(n)) for name, (n, size) in counts.items()}
