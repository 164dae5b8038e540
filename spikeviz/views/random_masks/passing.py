"""Below a curve against the ratio: what fires and passes at the masked places, and the entropy of the scores' rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spikeviz.figures.theme import ACCENT, QUIET
from spikeviz.views.view import Figure, Item, Over, Row

if TYPE_CHECKING:
    from spikeviz.figures.chart import Chart

Points = Sequence[Mapping[str, Any]]


def passing(title: str, points: Points, of: str, source: str, over: Over) -> Iterator[Item]:
    """Two figures of the runs behind a curve; nothing of a curve that does not know them.

    Args:
        title: of the curve.
        points: of one network, each with ratio, sent, kept, entropy and silent (`MaskedAccuracy`).
        of: whose they are, in words: network, samples.
        source: in the literature.
        over: of the curve.
    """
    points = sorted((p for p in points if p.get("kept") is not None), key=lambda point: point["ratio"])
    if not points or not any(p["sent"] for p in points):
        return
    sent = Figure(
        firing_chart(f"Firing at the masked places: {title}", points),
        f"{of}, one seed: spikes per neuron and step that come to the masked places, and that go on to the products. "
        f"{_moves('What is sent', [p['sent'] for p in points])}",
        source,
        "; ".join(f"ratio {p['ratio']:g}: {p['sent']:.3f} sent, {p['kept']:.3f} pass" for p in points),
        over=over,
    )
    with_scores = [p for p in points if p.get("silent") is not None]
    yield Row([sent], [_entropy(title, with_scores, of, source, over)]) if with_scores else sent


def _entropy(title: str, points: Points, of: str, source: str, over: Over) -> Figure:
    end = points[-1]
    last = f"At ratio {end['ratio']:g} {end['silent']:.0%} of the queries have no score at all"
    return Figure(
        entropy_chart(f"Entropy of the scores: {title}", points),
        f"{of}, one seed: how evenly a query's scores, summed over the steps, lie on the keys (1: all alike, 0: one "
        f"key), over the queries that have any. {last}.",
        source,
        "; ".join(f"ratio {p['ratio']:g}: {_number(p['entropy'])}, {p['silent']:.0%} silent" for p in points),
        over=over,
    )


def firing_chart(title: str, points: Points) -> Chart:
    """Spikes per neuron and step, sent and passing, against the ratio."""
    import pandas as pd

    from spikeviz.figures.chart import Chart, Line

    ratios = [p["ratio"] for p in points]
    lines = [Line(ratios, [p["sent"] for p in points], "sent", QUIET)]
    lines += [Line(ratios, [p["kept"] for p in points], "pass", ACCENT)]
    numbers = pd.DataFrame({name: [p[name] for p in points] for name in ("ratio", "sent", "kept", "power")})
    return Chart(
        title, "ratio", "spikes per neuron and step", lines, x_range=(-0.02, 1.02), height=200, numbers=numbers
    )


def entropy_chart(title: str, points: Points) -> Chart:
    """Entropy of the rows that have a score, and the share of those that have none, against the ratio."""
    import pandas as pd

    from spikeviz.figures.chart import Chart, Line

    known = [p for p in points if p["entropy"] is not None]
    lines = [Line([p["ratio"] for p in known], [p["entropy"] for p in known], "entropy", ACCENT)]
    lines += [Line([p["ratio"] for p in points], [p["silent"] for p in points], "queries without a score", QUIET)]
    numbers = pd.DataFrame({name: [p[name] for p in points] for name in ("ratio", "entropy", "silent")})
    return Chart(
        title, "ratio", "share of log N", lines, x_range=(-0.02, 1.02), y_range=(0, 1.02), height=200, numbers=numbers
    )


def _moves(what: str, values: Sequence[float]) -> str:
    return f"{what} goes from {values[0]:.3f} to {values[-1]:.3f}."


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"
