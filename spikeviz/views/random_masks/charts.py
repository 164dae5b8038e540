"""Random spike masking: what is dropped, what it costs in accuracy and saves in spikes, and where the network looks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from spikeviz.artifacts.cards import larger_error
from spikeviz.figures.chart import Bars, Chart, Line, Maps, Rule, accuracy_range
from spikeviz.figures.prediction import ROW, TRACK
from spikeviz.figures.tables import table
from spikeviz.figures.theme import ACCENT, QUIET, SECOND, SPIKE

if TYPE_CHECKING:
    import pandas as pd

# Okabe and Ito: the network without fine-tuning, then its students.
COLOURS = (ACCENT, SECOND, "#CC79A7", "#E69F00", "#56B4E9")

# As printed in the paper's Table 3 (CIFAR-10): model, ratio, power in alpha-watts, over the unmasked one, accuracy.
TABLE_3 = (
    *(("MST", 0.0, "3.9 G", 1.0, 97.27), ("MST", 0.5, "3.2 G", 0.82, 97.25), ("MST", 0.75, "2.9 G", 0.74, 97.29)),
    *(("ResNet18", 0.0, "58.2 M", 1.0, 96.48), ("ResNet18", 0.5, "40.7 M", 0.70, 92.88)),
    *(("ResNet18", 0.75, "34.1 M", 0.58, 82.68), ("VGG16", 0.0, "24.4 M", 1.0, 95.46)),
    *(("VGG16", 0.5, "18.9 M", 0.77, 89.56), ("VGG16", 0.75, "16.7 M", 0.68, 79.09)),
)


def watts(power: float) -> str:
    """Alpha-watts in thousands, millions or billions, as the paper prints them, to three digits: rows differ."""
    size, letter = next(((s, x) for s, x in ((1e9, " G"), (1e6, " M"), (1e3, " k")) if power >= s), (1.0, ""))
    number = power / size
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}{letter}"


def kept_bars(places: pd.DataFrame, names: Mapping[str, str]) -> Chart:
    """Spikes that flow on at every place of `dropped`; what was sent leaves with its numbers. `names` has layers in
    words, by their module paths."""
    paths = [name.removesuffix(".spike") for name in places["place"]]  # of convolutions the place itself
    bars = Bars([names[path] for path in paths], places["kept"], None, paths)
    return Chart(
        "Spikes that pass, by place", "spikes of this input", "", [bars], height=60 + 17 * len(places), numbers=places
    )


def dropped_maps(sent: Float[np.ndarray, "T C H W"], kept: Float[np.ndarray, "T C H W"], layer: str) -> Maps:
    """What the neurons of a layer fire, what passes, and what is dropped: mean over channels and steps."""
    fired, passes = sent.mean((0, 1)), kept.mean((0, 1))
    maps = np.stack([fired, passes, fired - passes])
    return Maps(f"Sent, kept, dropped · {layer}", maps, ("sent", "kept", "dropped"), "spikes per neuron and step")


def seeds_chart(shares: Float[np.ndarray, "seeds K"], classes: Sequence[str]) -> Chart:
    """Mean confidence of every class over seeds; the confidence of every seed leaves as its numbers."""
    import pandas as pd

    numbers = pd.DataFrame(shares, columns=list(classes)).rename_axis("seed").reset_index()
    title = f"Confidence under {len(shares)} seeds"
    return Chart(title, "mean confidence", "", [Bars(classes, shares.mean(0))], x_range=(0, 1), numbers=numbers)


def seeds_bars(shares: Float[np.ndarray, "seeds K"], classes: Sequence[str], label: int | None = None) -> str:
    """One bar for each class, its mean over the seeds; a line from the least to the most that a seed gives."""
    mean, deviation, low, high = shares.mean(0), shares.std(0, ddof=1), shares.min(0), shares.max(0)
    rows = []
    for k, name in enumerate(classes):
        colour = ACCENT if k == mean.argmax() else QUIET
        bar = f'<div style="height:9px;border-radius:2px;width:{100 * mean[k]:.1f}%;background:{colour}"></div>'
        place = f"left:{100 * low[k]:.1f}%;width:{100 * (high[k] - low[k]):.1f}%"
        line = f'<div style="position:absolute;top:4px;height:2px;{place};background:{SPIKE}"></div>'
        rows.append(
            f'<div style="{ROW.replace("44px", "92px")}"><span>{escape(name)}{" ✓" if k == label else ""}</span>'
            f'<div style="{TRACK};position:relative">{bar}{line}</div><span style="text-align:right;'
            f'font-variant-numeric:tabular-nums">{100 * mean[k]:.1f} ± {100 * deviation[k]:.1f} %</span></div>'
        )
    return f'<div role="img" aria-label="Mean confidence for each class over seeds">{"".join(rows)}</div>'


def accuracy_chart(
    title: str,
    x: str,
    curves: Mapping[str, Sequence[Mapping[str, Any]]],
    live: Sequence[Mapping[str, Any]] = (),
    rules: Sequence[Rule] = (),
    x_range: tuple[float, float] | None = None,
) -> Chart:
    """Mean accuracy against a column `x`; shaded the standard deviation over seeds or the binomial standard error of
    the samples, whichever is larger.

    Args:
        title: of the chart.
        x: a column of every point, and the axis.
        curves: precomputed points by network, the first the one that was not fine-tuned: `x`, mean, samples, and
            deviation where there are seeds.
        live: points measured now.
        rules: lines across or upright.
        x_range: of the axis.
    """
    import pandas as pd

    series = [_curve(points, x, name, COLOURS[n % len(COLOURS)]) for n, (name, points) in enumerate(curves.items())]
    series += [_curve(live, x, "measured now", SPIKE)] if live else []
    rows = [{"network": name} | dict(point) for name, points in curves.items() for point in points]
    rows += [{"network": "measured now"} | dict(point) for point in live]
    ends = accuracy_range(series, rules)
    return Chart(
        title, x, "accuracy", series, rules, x_range=x_range, y_range=ends, height=260, numbers=pd.DataFrame(rows)
    )


def _curve(points: Sequence[Mapping[str, Any]], x: str, name: str, colour: str) -> Line:
    points = sorted(points, key=lambda point: point[x])
    places, mean = (np.array([point[key] for point in points]) for key in (x, "mean"))
    error = np.array([drawn_error(point) for point in points])
    return Line(places, mean, name, colour, band=(mean - error, mean + error))


def drawn_error(point: Mapping[str, Any]) -> float:
    """Of a point with mean, samples, and deviation over seeds where there are some."""
    return larger_error(point["mean"], point["samples"], point.get("deviation", 0.0))


def paper_power() -> str:
    """The paper's Table 3 as printed."""
    rows = [
        (model, f"{ratio:.0%}", power, f"×{share:.2f}", f"{accuracy:.2f} %")
        for model, ratio, power, share, accuracy in TABLE_3
    ]
    return table("Power and accuracy, as printed", ("model", "ratio", "P (α-watts)", "", "accuracy"), rows)


def power_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Ours: network, ratio, power, share (of the unmasked network's power, None if not known), mean, deviation over
    seeds, samples; the larger error of the accuracy is printed."""
    lines = [
        (
            row["network"],
            f"{row['ratio']:.0%}",
            watts(row["power"]),
            f"×{row['share']:.2f}" if row["share"] else "–",
            f"{100 * row['mean']:.1f} ± {100 * drawn_error(row):.1f} %",
        )
        for row in rows
    ]
    return table("Power and accuracy, ours", ("network", "ratio", "P (α-watts)", "", "accuracy"), lines)


def power_chart(rows: Sequence[Mapping[str, Any]]) -> Chart:
    """Power of every row of `power_table`."""
    import pandas as pd

    bars = Bars([f"{row['network']}, {row['ratio']:.0%}" for row in rows], [row["power"] / 1e6 for row in rows])
    return Chart(
        "Power under random masks",
        "power (million α-watts)",
        "",
        [bars],
        height=70 + 26 * len(rows),
        numbers=pd.DataFrame(rows),
    )


def activation_maps(maps: Mapping[str, Float[np.ndarray, "n H W"]], times: Sequence[int], layer: str) -> Maps:
    """Spike activation maps at some steps, a row for each ratio; 1 is the largest value without masks."""
    titles = [f"{name}, t = {t}" for name in maps for t in times]
    return Maps(
        f"Spike activation maps · {layer}",
        np.concatenate(list(maps.values())),
        titles,
        "share of the largest value without masks",
    )


def histogram(values: Mapping[str, Float[np.ndarray, "n"]], title: str, x: str, ends: tuple[float, float]) -> Chart:
    """Share of the neurons by value, an outline for each of two quantities."""
    edges, outlines = _edges(ends), []
    for (name, some), colour in zip(values.items(), (QUIET, ACCENT), strict=True):
        shares = _shares(some, ends)
        y = np.concatenate([[0], np.repeat(shares, 2), [0]])
        outlines.append(Line(np.repeat(edges, 2), y, name, colour, points=False, band=(np.zeros_like(y), y)))
    return Chart(title, x, "share of the neurons", outlines, height=240)


def overlap(a: Float[np.ndarray, "n"], b: Float[np.ndarray, "m"], ends: tuple[float, float]) -> float:
    """How much of the area two histograms of `histogram` share, 0 to 1."""
    return float(np.minimum(_shares(a, ends), _shares(b, ends)).sum())


def _edges(ends: tuple[float, float]) -> Float[np.ndarray, "bins+1"]:
    """A bin is a sixteenth, with a multiple of it in its middle: equal levels fall into equal bins."""
    return np.arange(ends[0] - 1 / 32, ends[1] + 1 / 16, 1 / 16)


def _shares(values: Float[np.ndarray, "n"], ends: tuple[float, float]) -> Float[np.ndarray, "bins"]:
    """What lies outside is in the bins at the ends."""
    counts, _ = np.histogram(np.clip(values, *ends), _edges(ends))
    return counts / max(counts.sum(), 1)


def conversion_bars(errors: pd.DataFrame, chosen: str, words: Callable[[str], str]) -> Chart:
    """Relative error of every layer of `conversion_error`, the first at the top; all columns leave as its numbers.

    `words`: the name of a layer by its module path.
    """
    paths = [name.removesuffix(".spike") for name in errors["layer"]]
    names = [words(path) for path in paths]
    bars = Bars(names, 100 * errors["relative"].fillna(0.0), words(chosen), paths)
    return Chart(
        "Conversion error by layer", "relative error (%)", "", [bars], height=60 + 15 * len(names), numbers=errors
    )
