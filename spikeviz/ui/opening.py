"""Opening a lab: network, input and sliders, what can be done with the page, and the runs of what they say.

A page is a short script: it opens a lab inside a fragment, draws the viewer and a few figures, and closes the lab.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.ui import cards, controls, experiment, inputs, presets, runs, share, viewer
from spikeviz.ui.lab import Lab, Run

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.artifacts.packed_spikes import Film


Beside = Callable[[Run], experiment.Experiment | None]


def open_lab(
    page: str,
    title: str,
    figures: Sequence[presets.Preset] = (),
    networks: experiment.Networks = experiment.ALL,
    beside: Beside | None = None,
    more: Sequence[experiment.Parameter] = (),
    knobs: controls.Knobs = controls.dynamics,
    first: Callable[[Sequence[str]], str] = lambda layers: layers[0],
) -> Lab:
    """Everything above the figures of a page: controls, messages, the status line.

    What cannot be shown is one sentence, and the run of the page ends there.

    Args:
        page: prefix of widgets and parameters.
        title: what stands above the page.
        figures: presets.
        networks: what the page is about.
        beside: what a run is compared with where nothing is held, if there is something.
        more: parts of the address that are this page's own.
        knobs: the sliders that a network gets here.
        first: of a network's layers, the one that is looked at until another is chosen.
    """
    panel, messages, status, view = st.container(), st.container(), st.container(), st.container(key="viewer")
    with panel:
        network = experiment.checkpoint_parameter(networks)
        experiment.read_address(page, [network])
        tools = inputs.row(page)
        with tools:
            card = inputs.choose_network(page, networks)
        opened = inputs.opened(card)
        settings = knobs(opened.model)
        start = first(opened.layers)
        if experiment.recall("layer") not in opened.layers:
            experiment.remember("layer", start)
        parameters = [
            network,
            inputs.parameter(card),
            experiment.seed_parameter(),
            *(setting.parameter(page) for setting in settings),
            comparison(page, knobs),
            *viewer.parameters(page, opened.layers, start),
            *more,
        ]
        experiment.read_address(page, parameters[1:])
        with tools:
            inputs.choose_input(page, card)
        controls.sliders(page, settings, opened.fast)
        viewer.choose_layer(opened.layers, f"{page}_layer")
    layer = experiment.recall("layer")
    now = run(experiment.current(), inputs.picked(card), layer, knobs)
    held = _held_run(layer, knobs) or _beside(beside, now, layer, knobs)
    neuron = viewer.chosen_neuron(layer, now.recording[f"{layer}.spike"].values[:, 0])
    lab = Lab(page, title, now, held, settings, layer, neuron, parameters, view, presets.chosen(page, parameters))
    with tools:
        _tools(lab, figures)
    with messages:
        cards.messages(inputs.upload_error())
    with status, st.container(horizontal=True, vertical_alignment="center", key=f"{page}_status"):
        cards.status(now.recording.milliseconds, now.recording.device, now.said)
        cards.not_retrained(controls.moved(settings, now.experiment))
        if experiment.held():
            a, b = (
                f"{run.shown.title}, {run.said}" if lab.held.card == now.card else f"{run.card.name}, {run.said}"
                for run in (lab.held, now)
            )
            st.caption(f"A: {a}. B: {b}. The charts show B, and A where they say so.")
        if lab.preset:
            st.caption(f"*{lab.preset.source}.* {lab.preset.says}")
    return lab


def run(
    wanted: experiment.Experiment, shown: inputs.Input, layer: str, knobs: controls.Knobs = controls.dynamics
) -> Run:
    """Run an experiment on its input, or take the run from the cache; of what is intervened, what there are sliders
    for."""
    card = experiment.checkpoints()[wanted.checkpoint]
    opened = runs.network(card.name, card.sha256)
    settings = knobs(opened.model)
    wanted = controls.complete(settings, wanted)
    recording = runs.record(wanted, layer, card.sha256, opened.model, shown.batch)
    return Run(wanted, card, opened, shown, recording, controls.said(settings, wanted))


def _held_run(layer: str, knobs: controls.Knobs) -> Run | None:
    """A, if something is held; what cannot be run any more is released, with a notice."""
    held = experiment.held()
    if held is None:
        return None
    checkpoints = experiment.checkpoints()
    try:
        shown = inputs.picture(held, checkpoints[held.checkpoint])
        if shown is None:
            raise ValueError("its picture is not here any more.")
        if checkpoints[held.checkpoint].classifies != checkpoints[experiment.current().checkpoint].classifies:
            raise ValueError("an autoencoder and a network that classifies answer with different things.")
        return run(held, shown, layer, knobs)
    except (ValueError, FileNotFoundError) as error:
        experiment.notice(f"A is released: {error}")
        return experiment.hold(None)


def _beside(beside: Beside | None, now: Run, layer: str, knobs: controls.Knobs) -> Run | None:
    """A, where nothing is held and the page has something to compare with."""
    wanted = beside(now) if beside else None
    return run(wanted, now.shown, layer, knobs) if wanted else None


def part_parameter(page: str, parts: Mapping[str, str]) -> experiment.Parameter:
    """`sfa_part=error`: which figures of a page are looked at."""
    name, first = f"{page}_part", next(iter(parts))

    def read(text: str | None) -> None:
        if text not in (None, *parts):
            raise ValueError(f"there are {', '.join(parts)}.")
        experiment.remember(name, text or first)

    def write() -> str | None:
        part = experiment.recall(name, first)
        return None if part == first else part

    return experiment.Parameter(name, read, write)


def choose_part(page: str, parts: Mapping[str, str]) -> str:
    """Which of the page's figures to look at; the others are not computed."""
    name, first = f"{page}_part", next(iter(parts))
    now = experiment.recall(name, first)

    def take(new: str | None) -> None:
        experiment.remember(name, new or now)  # a click on what is chosen already gives none

    st.segmented_control(
        "Figures", list(parts), format_func=parts.get, key=experiment.shown(f"{name} chosen", now),
        on_change=experiment.taken, args=(f"{name} chosen", take), label_visibility="collapsed",
    )  # fmt: skip
    return now


def open_first(page: str) -> Film:
    """Network and input alone, as the start page has them: all spikes of the network as it was trained."""
    network = experiment.checkpoint_parameter()
    experiment.read_address(page, [network])
    tools = inputs.row(page)
    with tools:
        card = inputs.choose_network(page)
    parameters = [network, inputs.parameter(card)]
    experiment.read_address(page, parameters[1:])
    with tools:
        inputs.choose_input(page, card)
    film = _first_film(card)
    cards.messages(inputs.upload_error())
    experiment.write_address(page, parameters)
    return film


def _first_film(card: CheckpointCard) -> Film:
    """The shipped recording where that is what was chosen, else a run of now; whatever other pages set."""
    now = experiment.current().only()
    shipped = runs.shipped(card.name, card.sha256) if now == experiment.Experiment(card.name) else None
    if shipped is not None:
        return shipped
    opened, shown = inputs.opened(card), inputs.picked(card)
    return run(experiment.current().only(), shown, opened.layers[0]).film


def _tools(lab: Lab, figures: Sequence[presets.Preset]) -> None:
    """What can be done with the whole page."""
    untouched = not controls.moved(lab.settings, lab.now.experiment)
    st.button(
        "As trained", key=f"{lab.page}_reset", on_click=controls.reset, args=(lab.settings,), disabled=untouched,
        help="Every slider back to how the network was trained",
    )  # fmt: skip
    held = experiment.held() is not None
    st.button(
        "Release A" if held else "Hold as A", key=f"{lab.page}_hold", on_click=_hold, args=(not held, lab),
        help="Keep this setting as A, then move something: the viewer shows A, B and A−B",
    )  # fmt: skip
    if figures:
        presets.choose(lab.page, figures, lab.parameters)
    share.share(lab)


def _hold(hold: bool, lab: Lab) -> None:
    experiment.hold(lab.now.experiment if hold else None)
    experiment.remember("side", "A−B" if hold else "B")


def comparison(page: str, knobs: controls.Knobs = controls.dynamics) -> experiment.Parameter:
    """`maps_A=input:12,T:2`: the other setting, written like an address of its own; `checkpoint:` if it is another
    network's."""
    name = f"{page}_A"

    def known(checkpoint: str) -> list[controls.Setting]:
        card = experiment.checkpoints()[checkpoint]
        return knobs(runs.network(card.name, card.sha256).model)

    def read(text: str | None) -> None:
        if text is None:
            return experiment.hold(None)
        pairs = [pair.partition(":")[::2] for pair in text.split(",")]
        now = experiment.current()
        network = dict(pairs).get("checkpoint", now.checkpoint)
        if network not in experiment.checkpoints():
            raise ValueError(f"A is of no network there is; there are {', '.join(experiment.checkpoints())}.")
        found, picture = experiment.Experiment(network), inputs.short(now)
        settings = {setting.name: setting for setting in known(network)}
        for key, value in pairs:
            if key == "input":
                picture = value
            elif key == "seed":
                found = found.but(seed=experiment.whole(value, "a seed", 0, 2**31 - 1))
            elif key in settings:
                found = settings[key].read(found, value)
            elif key != "checkpoint":
                raise ValueError(f"A is made of checkpoint, input, seed, {', '.join(settings)}, such as input:12,T:2.")
        card = experiment.checkpoints()[found.checkpoint]
        experiment.hold(found.but(source=inputs.source(picture, card)))

    def write() -> str | None:
        kept = experiment.held()
        if kept is None:
            return None
        parts = [f"checkpoint:{kept.checkpoint}"] if kept.checkpoint != experiment.current().checkpoint else []
        parts += [f"input:{inputs.short(kept)}"]
        parts += [f"seed:{kept.seed}"] if kept.seed else []
        settings = known(kept.checkpoint)
        return ",".join(parts + [f"{s.name}:{s.text(s.value(kept))}" for s in controls.moved(settings, kept)])

    return experiment.Parameter(name, read, write)
