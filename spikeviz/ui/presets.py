"""Presets: a click sets a page to what a figure of a paper shows. A preset is an address, taken over as any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from spikeviz.ui.experiment import Parameter, notice

CHOSEN = "preset"


@dataclass(frozen=True)
class Preset:
    """A figure of a paper on a page.

    Attributes:
        title: of the button.
        source: paper and figure.
        says: what is the same and what is not: network, data, what is plotted.
        address: parameters; those it does not name get their defaults, but for the network and the input.
    """

    title: str
    source: str
    says: str
    address: Mapping[str, str]


def choose(page: str, presets: Sequence[Preset], parameters: Sequence[Parameter]) -> None:
    """The presets of a page, behind one button."""
    with st.popover("Presets", help="Set this page to a figure of a paper"):
        for preset in presets:
            st.button(
                preset.title, key=f"{page}_preset {preset.title}", on_click=apply, args=(page, preset, parameters),
                width="stretch",
            )  # fmt: skip
            st.caption(f"*{preset.source}.* {preset.says}")


def apply(page: str, preset: Preset, parameters: Sequence[Parameter]) -> None:
    """Set every parameter; the network and the input stay unless the preset names them.

    What is not here, such as a network that has not been trained yet, is a notice.
    """
    for parameter in parameters:
        if parameter.name in preset.address or parameter.name not in ("checkpoint", "input"):
            try:
                parameter.read(preset.address.get(parameter.name))
            except ValueError as error:
                notice(f"{preset.title} is not whole: {error}")
                parameter.read(None)
    st.session_state[f"{page}_{CHOSEN}"] = preset, state(parameters)


def state(parameters: Sequence[Parameter]) -> tuple[str | None, ...]:
    """What the parameters say, but for the network and the input."""
    return tuple(p.write() for p in parameters if p.name not in ("checkpoint", "input"))


def chosen(page: str, parameters: Sequence[Parameter]) -> Preset | None:
    """The preset the page is set to, until something is moved."""
    preset, then = st.session_state.get(f"{page}_{CHOSEN}", (None, None))
    return preset if preset and then == state(parameters) else None
