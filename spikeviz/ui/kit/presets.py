"""Presets: a click sets a page to what a figure of a paper shows. A preset is an address, taken over as any other."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from spikeviz.ui.kit import session
from spikeviz.views import address
from spikeviz.views.address import Parameter
from spikeviz.views.page import Page, Preset


def choose(page: Page) -> None:
    """The presets of a page, behind one button."""
    with st.popover("Presets", help="Set this page to a figure of a paper"):
        for preset in page.presets:
            key = f"{page.key}_preset {preset.title}"
            st.button(preset.title, key=key, on_click=apply, args=(page, preset), width="stretch")
            st.caption(f"*{preset.source}.* {preset.about}")


def apply(page: Page, preset: Preset) -> None:
    """Set every parameter; the network and the input stay unless the preset names them.

    What is not here, such as a network that has not been trained yet, is a notice.
    """
    state = session.state()
    state, notices = address.read([address.checkpoint_parameter(page.networks)], state, preset.address, False)
    try:
        parameters = address.parameters(page, state, session.uploads(), preset.address)
        wanted = [p for p in parameters if p.name in preset.address or p.name != "input"]
        state, more = address.read(wanted, state, preset.address)
    except (ValueError, FileNotFoundError) as error:  # its network cannot be opened: the page will say why
        parameters, more = [], [str(error)]
    session.store(state)
    session.notice(*(f"{preset.title} could only be applied in part: {notice}" for notice in (*notices, *more)))
    st.session_state[f"{page.key}_preset"] = preset, _settled(page, parameters)


def _settled(page: Page, parameters: Sequence[Parameter]) -> tuple[str | None, ...]:
    """What the parameters say, but for the network, the input and the neuron: a layer that is seen first gets one."""
    state, own = session.state(), ("checkpoint", "input", f"{page.key}_neuron")
    return tuple(p.write(state) for p in parameters if p.name not in own)


def chosen(page: Page, parameters: Sequence[Parameter]) -> Preset | None:
    """The preset the page is set to, until something is moved."""
    preset, then = st.session_state.get(f"{page.key}_preset", (None, None))
    return preset if preset and then == _settled(page, parameters) else None
