"""A page as one HTML file: its figures, numbers and settings, and the Python that makes it again."""

from __future__ import annotations

from collections.abc import Sequence

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
        "network": f"{card.name} ({card.model}), trained with seed {card.seed}",
        "input": "an input of one's own" if own else f"{run.shown.title} of {card.data}",
        "settings": run.status_text,
        "computed in": f"{run.recording.milliseconds:.0f} ms on {run.recording.device}",
        "address": address,
    }
    if card.accuracy is not None:
        facts["accuracy"] = f"{card.accuracy:.4f} on {card.samples:,} test samples (`{card.command}`, {card.device})"
    if scene.compared:
        facts["compared with (A)"] = f"{scene.compared.shown.title}, {scene.compared.status_text}"
    shown = [(figure.chart, figure.caption) for figure in figures]
    return report(f"spikeviz · {scene.page.title}", scene.page.question, facts, shown, python(scene), NOTES)
