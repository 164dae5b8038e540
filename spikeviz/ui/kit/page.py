"""Draws a page: heading, controls, status line, main picture, tabs, terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.artifacts.cards import same_cards
from spikeviz.ui.components import live_slider
from spikeviz.ui.kit import compare, inputs, network_card, presets, session, settings, share, url
from spikeviz.ui.kit.bind import bind
from spikeviz.ui.kit.glossary import terms
from spikeviz.ui.kit.items import draw
from spikeviz.ui.server import preload, warm_up
from spikeviz.ui.server.router import take_over
from spikeviz.ui.server.turns import in_turn
from spikeviz.views import address, runs
from spikeviz.views.address import Parameter
from spikeviz.views.layers.looks import layers_of_a
from spikeviz.views.layers.names import words as in_words
from spikeviz.views.page import Page
from spikeviz.views.scene import Scene, like, open_scene
from spikeviz.views.settings import as_trained, moved
from spikeviz.views.sharing.provenance import Provenance, provenance

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from spikeviz.views.runs import Network


@same_cards()
def show(page: Page) -> None:
    """A page of the app, from its value. The heading is drawn before anything heavy is imported."""
    if take_over():
        st.rerun()
    session.enter(page)
    url.arrive(page.key)
    st.title(page.title, anchor=False)
    source = f" <small>Paper: {page.paper}.</small>" if page.paper else ""
    st.markdown(page.question + source, unsafe_allow_html=True)
    (_scene_page if page.first else _first_look)(page)
    draw(page.after(), page.key)
    if page.first is None:
        preload.charts()
    warm_up.start(warm_up.DRAWN)  # where the server has not begun by itself


@st.fragment
@warm_up.first
@in_turn
@same_cards()
def _scene_page(page: Page) -> None:
    """Controls and results: a moved slider runs this part again and nothing else.

    What it waits for, the main picture and the line that says of what it is, is computed and sent first, and in one
    go: the browser goes through the whole page for every few messages. So a slider that is dragged, which sends its
    next value once it is answered, is answered with a picture.
    """
    _ahead(page)
    controls, sliders = st.container(), st.container(key="sliders")  # beside one another: the sliders stay in view
    messages, status, view = st.container(), st.container(), st.container(key="viewer")
    network = address.checkpoint_parameter(page.networks)
    with controls:
        inputs.libraries()
        url.read(page.key, [network])
        tools = inputs.row(page.key)
        card = inputs.network(page)

        def choose_network() -> None:
            with tools:
                inputs.choose_network(page)

        opened = inputs.opened(card, choose_network)
    if session.look("layer") not in opened.layers:  # a neuron of an address belongs to a layer
        session.set_look("layer", page.first(opened.layers) if page.first else "")
    if query := url.pending(page.key):
        asked = _parameters(page, query)
        url.name_unknown(page.key, [network, *asked])
        url.read(page.key, asked)
    settings.hear(page, opened)

    def draw_controls() -> None:
        choose_network()
        with tools:
            inputs.choose_input(page.key, card)
        with controls:
            inputs.download(card)
            if session.plain():
                _choose_layer(page, opened)
        with sliders:
            settings.controls(page, opened)

    scene = _opened(page, draw_controls)
    session.store(scene.state)
    session.share_input(scene.state.experiment)
    about = cache(partial(provenance, scene, share.server()))
    _messages(messages)
    with status:
        line = st.container(horizontal=True, vertical_alignment="center", key=f"{page.key}_status")
    with line:
        _status(scene)
    with view:
        draw(page.main(scene), page.key, about, first=True)
    draw_controls()
    parameters = [network, *_parameters(page)]
    with tools:
        _tools(scene, about())
    with line:
        network_card.about(card, page.key)
        _not_retrained(scene)
        compare.caption(scene)
        if preset := presets.chosen(page, parameters):
            st.caption(f"*{preset.source}.* {preset.about}")
    draw(page.tab(_choose_tab(page) if page.tabs else None)(scene), page.key, about)
    terms(page.terms)
    if live_slider.settled():
        url.write(page.key, parameters)


def _ahead(page: Page) -> None:
    """Compute what the page will show, where it says by itself neither that it waits nor what is new in its address:
    the caches keep it."""
    card = session.checkpoints().get(session.state().experiment.checkpoint)
    if card is None or url.pending(page.key) or not (runs.imported() and runs.is_open(card)):
        return
    settings.hear(page, runs.network(card))
    with suppress(ValueError, FileNotFoundError):  # said where it is shown
        scene, *_ = open_scene(page, session.state(), session.uploads())
        _ = scene.packed if card.classifies else scene.now.recording


@st.fragment
@warm_up.first
@in_turn
@same_cards()
def _first_look(page: Page) -> None:
    """Network and input alone, beside the picture."""
    picture, words = st.columns([2.9, 1], gap="medium")
    network = address.checkpoint_parameter(page.networks)
    with words:
        url.read(page.key, [network])
        tools = inputs.row(page.key)
        card = inputs.network(page)
        with tools:
            inputs.choose_network(page)
        asked = _parameters(page, url.pending(page.key))
        url.name_unknown(page.key, [network, *asked])
        url.read(page.key, asked)
        with tools:
            inputs.choose_input(page.key, card)
        inputs.download(card)
        with inputs.waiting(card):
            scene = _opened(page)
        session.store(scene.state)
        session.share_input(scene.state.experiment)
        _messages(st.container())
        url.write(page.key, [network, *_parameters(page)])
        draw(page.body(scene), page.key)
    about = cache(partial(provenance, scene, share.server()))
    with tools:
        share.share(scene, about())
    with picture:
        with st.container(horizontal=True, vertical_alignment="center"):
            _status(scene)
            network_card.about(scene.card, page.key)
        draw(page.main(scene), page.key, about)


def _parameters(page: Page, query: Mapping[str, str] | None = None) -> list[Parameter]:
    """Of the present state, or of what an address adds to it."""
    return address.parameters(page, session.state(), session.uploads(), query or {})


def _opened(page: Page, otherwise: Callable[[], None] = lambda: None) -> Scene:
    """The scene of the session's state; what cannot be shown is one sentence, and the run of the page ends, after
    `otherwise` has drawn what changes it."""
    try:
        scene, _, notices = open_scene(page, session.state(), session.uploads())
    except (ValueError, FileNotFoundError) as error:
        otherwise()
        st.error(str(error))
        st.stop()
    session.notice(*notices)
    return scene


def _messages(place: DeltaGenerator) -> None:
    """What the person has to know before the result."""
    with place:
        if error := session.refused():
            st.error(error)
        for sentence in session.take_notices():
            st.warning(sentence)


def _status(scene: Scene) -> None:
    """What was computed, how fast and where, on one line."""
    milliseconds, device, text = scene.status
    st.text(f"{milliseconds:.0f} ms · {device.partition(':')[0].upper()} · {text}")


def _not_retrained(scene: Scene) -> None:
    """Say what a moved slider is not; nothing of a network under the masks that it was trained under."""
    from spikeviz.artifacts.as_data import from_data

    experiment = scene.now.experiment
    changed = moved(scene.settings, experiment)
    if changed and from_data(scene.card.trained_under) != experiment.interventions:
        which = ", ".join(f"{s.name}={s.text(s.trained)}" for s in changed if s.learned)
        st.caption(f"{f'Trained with {which}. ' if which else ''}Weights unchanged: this is not a retrained model.")


def _tools(scene: Scene, about: Provenance) -> None:
    """What can be done with the whole page."""
    page = scene.page
    st.button(
        "As trained",
        key=f"{page.key}_reset",
        on_click=lambda: session.change(lambda now: as_trained(scene.settings, now)),
        disabled=not moved(scene.settings, scene.now.experiment),
        help="Every slider back to how the network was trained",
    )
    compare.button(scene)
    if page.presets:
        presets.choose(page)
    share.share(scene, about)


def _choose_layer(page: Page, opened: Network) -> None:
    """The layer, where the viewer's own choice does not run; that of A as well, where its network lacks that of B."""
    now, layers = session.look("layer"), opened.layers
    shown = now if now in layers or page.first is None else page.first(layers)
    how = bind(f"{page.key}_layer", shown, partial(session.set_look, "layer"))
    st.selectbox("Layer", layers, format_func=opened.words, **how)
    if (own := layers_of_a(session.state())) and shown not in own:
        chosen = session.look("layer A")
        beside = chosen if chosen in own else like(shown, own)
        how = bind(f"{page.key}_layerA", beside, partial(session.set_look, "layer A"))
        st.selectbox("Layer of A", own, format_func=in_words(own).__getitem__, **how)


def _choose_tab(page: Page) -> str:
    """Which of the page's figures to look at; the others are not computed."""
    name, first = f"{page.key}_part", next(iter(page.tabs))
    now = session.look(name, first)
    st.segmented_control(
        "Figures",
        list(page.tabs),
        format_func=lambda key: page.tabs[key].title,
        label_visibility="collapsed",
        # a click on what is chosen already gives none
        **bind(f"{name} chosen", now, lambda new: session.set_look(name, new or now)),
    )
    return now
