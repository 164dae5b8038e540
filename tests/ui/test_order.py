"""In which order a page is drawn: what a moved slider waits for comes first, everything else after it."""

from __future__ import annotations

import gc

import pytest
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from support.apptest import opened, slide

from spikeviz.ui.server import sending, warm_up
from spikeviz.views import runs, settings


@pytest.fixture
def sent(monkeypatch):
    """Everything that a page sends, by what it is, in order; and the moments at which the browser gets it."""
    found: list[str] = []
    enqueue = ScriptRunContext.enqueue

    def noted(self, message):
        element = message.delta.new_element
        kind = element.WhichOneof("type") if message.delta.WhichOneof("type") == "new_element" else None
        name = element.bidi_component.component_name if kind == "bidi_component" else kind
        found.extend([name] if name else [])
        return enqueue(self, message)

    monkeypatch.setattr(ScriptRunContext, "enqueue", noted)
    monkeypatch.setattr(sending, "let_go", lambda: found.append("let go"))
    return found


@pytest.mark.parametrize(("page", "name", "value"), [("spike_maps", "tau", 2.5), ("integer_firing", "D", 3)])
def test_a_moved_slider_gets_status_and_maps_first(page, name, value, sent):
    app = opened(page)
    sent.clear()
    slide(app, name, value)
    before, after = sent[: sent.index("let go")], sent[sent.index("let go") :]
    assert before[-1] == "spikeviz_spike_viewer" and before.index("text") < len(before) - 1
    assert not {"plotly_chart", "slider", "selectbox", "download_button", "imgs", "number_input"} & {*before}
    assert {"plotly_chart", "slider", "selectbox", "download_button", "number_input"} <= {*after}
    assert sent.count("let go") == 1


def test_what_is_drawn_first_is_of_the_value_just_set(sent):
    """The run was made before anything was drawn, and once."""
    app = opened("spike_maps")
    made = []
    simulated = runs.Computed.__init__

    def counted(self, simulate, *rest):
        simulated(self, lambda: made.append(1) or simulate(), *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs.Computed, "__init__", counted)
        patch.setattr(runs, "RUNS", runs.ByteCache(runs.RUNS.limit))
        slide(app, "tau", 2.9)
    assert made == [1] and "tau=2.90" in app.text[0].value


def test_settings_of_a_network_are_found_once(monkeypatch):
    from spikeviz.artifacts.cards import find_card

    model = runs.network(find_card("spikformer-fashion")[0]).model
    first = settings.dynamics(model, None)
    monkeypatch.setattr(settings, "_dynamics", lambda _: pytest.fail("it walked through the network again"))
    again = settings.dynamics(model, None)
    assert again == first and again is not first


def test_what_stays_is_not_searched_for_garbage():
    """Streamlit has Python collect garbage after each run: of what was there when everything was loaded, nothing."""
    try:
        warm_up.settle()
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < gc.get_freeze_count()
    finally:
        gc.unfreeze()


def test_warm_up_opens_a_page_as_its_first_visit_does(monkeypatch):
    """Random masks open on another network than the first there is."""
    from spikeviz.views import host

    asked = []
    scene_at = host.scene_at
    monkeypatch.setattr(host, "scene_at", lambda page, query: asked.append(dict(query)) or scene_at(page, query))
    warm_up._visit("random_masks")
    from spikeviz.views.random_masks import PAGE

    assert asked == [dict(PAGE.opening())] and asked != [{}]
