"""A page as one HTML file: its figures, numbers and settings, and the Python that makes it again."""

from __future__ import annotations

from collections.abc import Sequence

from spikeviz.views.networks.words import full_name
from spikeviz.views.scene import Scene
from spikeviz.views.sharing.python import python
from spikeviz.views.view import Figure

NOTES = ("Weights as trained: an intervention is no retraining.", "Energy is estimated from operation counts.")


def page_report(scene: Scene, figures: Sequence[Figure], address: str) -> str:
    """The report of a scene.

    Args:
        figures: that it shows.
        address: of the view: a link, or the command that made it.
    """
    from spikeviz.figures.report import report

    run, card = scene.now, scene.now.card
    own = run.shown.label is None
    facts = {
        "network": f"{card.name}: {full_name(card)}",
        "input": "an input of one's own" if own else f"{run.shown.title} of {card.data}",
        "settings": run.status_text,
        "computed in": f"{run.recording.milliseconds:.0f} ms on {run.recording.device}",
        "address": address,
    }
    if scene.compared:
        a = scene.compared
        facts["compared with (A)"] = f"{full_name(a.card)}, {a.shown.title}, {a.status_text}"
    facts |= {f"network: {name}": text for name, text in card.facts.items()}
    shown = [(figure.chart, figure.caption) for figure in figures]
    return report(f"spikeviz · {scene.page.title}", scene.page.question, facts, shown, python(scene), NOTES)
