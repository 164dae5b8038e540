"""Settings as controls: sliders in a row, beside them what does not slide, and the seed where something is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from spikeviz.ui.components import live_slider
from spikeviz.ui.kit import session
from spikeviz.ui.kit.bind import bind
from spikeviz.views.address import MOST_RULES
from spikeviz.views.experiment import Experiment
from spikeviz.views.page import Page
from spikeviz.views.settings import MOST_SEEDS, Setting

if TYPE_CHECKING:
    from spikeviz.views.runs import Network

CHOICES, BUTTON = 2.6, 0.9  # width of what does not slide, and of one button more, beside one slider
MOST_PILLS = 8


def hear(page: Page, opened: Network) -> None:
    """Take over what the browser said last of every slider that answers while it is dragged, before it is drawn."""
    if not live(opened):
        return
    for setting in page.settings(opened.model, session.state().experiment):
        if setting.form == "slider":
            live_slider.hear(_live_key(page, setting), _taker(setting))


def live(opened: Network) -> bool:
    """Whether sliders answer while they are dragged, otherwise when they are let go."""
    return opened.fast and not session.plain()


def controls(page: Page, opened: Network) -> None:
    """Every setting of a page; those of a further intervention of one kind in a row of their own."""
    shown, model = page.settings(opened.model, session.state().experiment), opened.model
    sliders = sum(setting.form == "slider" and not setting.number for setting in shown)
    for number in sorted({setting.number for setting in shown}):
        _row(page, [s for s in shown if s.number == number], live(opened), model, number, sliders)


def _row(page: Page, settings: Sequence[Setting], fast: bool, model: Any, number: int, sliders: int) -> None:
    """The settings of one number; a slider is as wide as in the first row, of `sliders`."""
    sliding, others = ([s for s in settings if (s.form == "slider") is slides] for slides in (True, False))
    random = any(setting.random for setting in settings) and not number
    rest = CHOICES + BUTTON * (page.another is not None) + sliders - len(sliding)
    columns = st.columns([1.0] * len(sliding) + [rest] * bool(others or random), gap="medium")
    for column, setting in zip(columns, sliding, strict=False):
        with column:
            _slider(page, setting, fast)
    if others or random:
        with columns[-1], st.container(horizontal=True, gap="small", key=f"{page.key}_choices{number or ''}"):
            for setting in others:
                _choice(f"{page.key}_{setting.name}", setting)
            if random:
                _choose_seed(f"{page.key}_seed")
            if page.another is not None:
                _another(page, settings, model, number)


def _another(page: Page, settings: Sequence[Setting], model: Any, number: int) -> None:
    """A further intervention of the page's repeating kind, or one less."""
    assert page.another is not None
    rule = page.another(model)
    kind = type(rule)
    count = len(session.state().experiment.of_kind(kind))

    def added(now: Experiment) -> Experiment:
        """Behind those there are; one that nothing was moved of counts as well."""
        now = now if now.of_kind(kind) else now.set(next(s.untouched for s in settings if s.kind is kind))
        return now.set(rule, len(now.of_kind(kind)))

    if number or count > 1:
        st.button(
            "Remove",
            key=f"{page.key}_remove{number}",
            on_click=lambda: session.change(lambda now: now.drop(kind, number)),
            help=f"Leave this one out ({kind.title}, no. {number + 1} of {count})",
        )
    if number == max(count - 1, 0):
        st.button(
            "Add another",
            key=f"{page.key}_add",
            on_click=lambda: session.change(added),
            disabled=count >= MOST_RULES,
            help=f"A further {kind.title.lower()} with its own settings, applied after those there are",
        )


def _choose_seed(name: str) -> None:
    st.number_input(
        "Seed",
        0,
        MOST_SEEDS,
        step=1,
        width=80,
        help="Of what is drawn at random",
        **bind(name, session.state().experiment.seed, lambda seed: session.change(lambda now: now.but(seed=seed))),
    )


def _live_key(page: Page, setting: Setting) -> str:
    return f"{page.key}_{setting.name}_live"


def _taker(setting: Setting) -> Callable[[Any], None]:
    """Puts a new value into the experiment; limits are kept by the browser alone: once more here."""
    number = int if setting.bounds.whole else float
    low, high = (number(end) for end in setting.bounds.slider)

    def take(new: Any) -> None:
        within = min(max(number(round(new, 6)), low), high)
        session.change(lambda now: setting.put(now, within))

    return take


def _slider(page: Page, setting: Setting, fast: bool) -> None:
    bounds, number = setting.bounds, int if setting.bounds.whole else float
    low, high = (number(end) for end in bounds.slider)
    value, step = number(setting.value(session.state().experiment)), number(bounds.step)
    start = f"{'Trained with' if setting.learned else 'It starts at'} {setting.text(setting.trained)}."
    help, take = f"{bounds.help} {start} {setting.kind.source}.", _taker(setting)
    if fast:
        decimals, key = 0 if bounds.whole else 2, _live_key(page, setting)
        live_slider.slider(setting.label, low, high, step, value, decimals=decimals, help=help, key=key, take=take)
        return
    form = "%d" if bounds.whole else "%.2f"
    key = f"{page.key}_{setting.name}"
    st.slider(setting.label, low, high, step=step, format=form, help=help, **bind(key, value, take))


def _choice(key: str, setting: Setting) -> None:
    """Pills, of which one stays chosen; of many options a field for numbers and ranges, `0-3.7`."""
    value, help = setting.value(session.state().experiment), setting.help
    if setting.form == "pills" and len(setting.options) <= MOST_PILLS:
        st.pills(
            setting.label,
            setting.options,
            selection_mode="multi",
            help=help,
            **bind(key, list(value), partial(_take_pills, setting)),
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", width="content"):
        st.text_input(
            f"{setting.label}, 0-{setting.last}",
            width=158,
            placeholder=setting.placeholder,
            help=f"Numbers and ranges, such as 0-3.7. {help}",
            **bind(key, setting.text(value), partial(_take_text, setting)),
        )
        if setting.placeholder:
            st.button(
                setting.placeholder.capitalize(),
                key=f"{key}_random",
                on_click=lambda: session.change(lambda now: setting.put(now, setting.trained)),
                disabled=value == setting.trained,
                help="Undo the choice by hand",
            )


def _take_pills(setting: Setting, new: Sequence[Any]) -> None:
    _take(lambda now: setting.put(now, tuple(option for option in setting.options if option in new)), "")


def _take_text(setting: Setting, new: str) -> None:
    text = new.replace(" ", "")
    why = f"{new[:40]!r} does not work here: "
    _take(lambda now: setting.read(now, text) if text else setting.put(now, setting.trained), why)


def _take(changed: Any, why: str) -> None:
    try:
        session.change(changed)
    except ValueError as error:
        session.notice(f"{why}{error}")
