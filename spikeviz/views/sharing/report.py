"""A page as one HTML file: its input, its answer, its figures, numbers and settings, and the Python that makes it
again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from spikeviz.views.scene import Scene
from spikeviz.views.sharing.answers import answer_text
from spikeviz.views.sharing.provenance import Provenance
from spikeviz.views.sharing.python import python
from spikeviz.views.view import Figure

if TYPE_CHECKING:
    from spikeviz.views.runs import Run

NOTES = ("Weights as trained: an intervention is no retraining.", "Energy is estimated from operation counts.")


def page_report(scene: Scene, figures: Sequence[Figure], about: Provenance) -> str:
    """The report of a scene.

    Args:
        figures: that it shows.
        about: where they are from.
    """
    from spikeviz.figures.report import report

    run, both = scene.now, scene.compared is not None
    facts = about.of_report().facts
    for name, each in scene.runs:
        facts[f"prediction ({name})" if both else "prediction"] = answer_text(each)
    facts["computed in"] = f"{run.recording.milliseconds:.0f} ms on {run.recording.device}"
    facts |= {f"network: {name}": text for name, text in run.card.facts.items() if name not in facts}
    shown = [(figure.chart, figure.caption) for figure in figures]
    inputs = [tile for name, each in scene.runs for tile in _input(each, f"{name}: " if both else "")]
    title, asks = f"spikeviz · {scene.page.title}", scene.page.question
    return report(title, asks, facts, shown, python(scene), NOTES, inputs)


def _input(run: Run, whose: str) -> Iterator[str]:
    """The input of a run as tiles: a picture, or each frame of a recording."""
    from spikeviz.figures.events import Frames
    from spikeviz.figures.render_html import photograph, tile

    title = f"{whose}{run.shown.title}"
    if run.shown.pixels.ndim == 3:
        yield tile(photograph(run.picture), title, "input", f"The input, {title}")
        return
    counts = run.shown.pixels.numpy()
    frames = Frames(title, counts, [f"{title}, frame {t}" for t in range(1, len(counts) + 1)])
    for pixels, name, events in zip(frames.pixels(), frames.titles, frames.events, strict=True):
        yield tile(pixels, name, f"input, {events:,} events", f"The input, {name}: {events:,} events")
