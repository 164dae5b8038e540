"""A | B | A−B: keep a setting as A, then move something."""

from __future__ import annotations

import streamlit as st

from spikeviz.ui.kit import session
from spikeviz.views.networks.words import full_name
from spikeviz.views.scene import Scene


def button(scene: Scene) -> None:
    """Hold the present setting, or release the one that is held."""
    held = session.state().compared is not None
    st.button(
        "Release A" if held else "Hold as A",
        key=f"{scene.page.key}_hold",
        on_click=_hold,
        args=(not held, scene),
        help="Keep this setting as A, then move something: the viewer shows A, B and A−B",
    )


def _hold(hold: bool, scene: Scene) -> None:
    now = session.state().but(compared=scene.now.experiment if hold else None)
    session.store(now.looking("side", "A−B" if hold else "B"))


def caption(scene: Scene) -> None:
    """What A and B are, where a setting is held."""
    if scene.compared is None or session.state().compared is None:
        return
    same = scene.compared.card == scene.now.card
    a, b = (
        f"{run.shown.title}, {run.status_text}" if same else f"{full_name(run.card)}, {run.status_text}"
        for run in (scene.compared, scene.now)
    )
    st.caption(f"A: {a}. B: {b}. A title says whose figure it is, or that it shows both.")
