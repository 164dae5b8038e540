"""Learned channel masks: their values, what they drop, what that saves, and how they moved in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Num

from spikeviz.artifacts.packed_spikes import ONLY, mean_over
from spikeviz.display import plural
from spikeviz.figures.chart import Bars, Chart, Line, Maps, Rule, accuracy_range
from spikeviz.figures.tables import energy, table
from spikeviz.figures.theme import ACCENT, QUIET, SECOND
from spikeviz.metrics.channel_masks import site

if TYPE_CHECKING:
    from spikeviz.evaluation.throughput import Throughput

Sites = Mapping[str, str]  # masks in words, by module path (`mask_sites`)

BINS = 20
STRENGTH = "mask strength σ(5 m)"
COLOURS = {"Q/K": ACCENT, "V": SECOND, "MLP": "#CC79A7"}  # the last: reddish purple of Okabe and Ito

# As printed in the paper's sec. 4.3.1 and 4.3.2: SDMFormer over Spikformer, in percent.
DATA_SETS = ("DVS128 Gesture", "CIFAR10-DVS", "N-Caltech101")
PAPER = {
    "2-256": ((40.88, 42.69, 37.93), (45.38, 50.13, 42.79)),
    "1-512": ((39.39, 39.72, 37.62), (47.56, 48.45, 44.17)),
}


def _line_at(threshold: float) -> Rule:
    return Rule(threshold, f"threshold {threshold:.2f}", upright=True)


def strengths(values: pd.DataFrame, sites: Sites, threshold: float) -> Chart:
    """Histogram of `mask_values`, an outline for each kind of site, and the threshold; all values are its numbers."""
    edges, outlines = np.linspace(0, 1, BINS + 1), []
    kinds = values["layer"].map(lambda mask: sites[mask].rpartition(" ")[2])
    for kind, colour in COLOURS.items():
        counts, _ = np.histogram(values["strength"][kinds == kind], edges)
        x, y = np.repeat(edges, 2), np.concatenate([[0], np.repeat(counts, 2), [0]])
        outlines.append(Line(x, y, kind, colour, points=False, band=(np.zeros_like(y), y)))
    rules = [_line_at(threshold)]
    return Chart("Mask values", STRENGTH, "channels", outlines, rules, x_range=(0, 1), height=260, numbers=values)


def rate_bars(rates: pd.DataFrame, sites: Sites, chosen: str) -> Chart:
    """Share of masked channels by block and site, of `mask_rates`; the mask `chosen` stands out."""
    bars = Bars([sites[layer] for layer in rates["layer"]], rates["rate"], sites[chosen])
    return Chart(
        "Mask rate by block and site",
        "share of channels that is masked",
        "",
        [bars],
        x_range=(0, 1),
        height=70 + 26 * len(rates),
        numbers=rates,
    )


def kept_and_dropped(
    spikes: Num[np.ndarray, "T C H W"],
    everything: Num[np.ndarray, "T C H W"],
    kept: Bool[np.ndarray, "C"],
    name: str,
) -> dict[str, Maps]:
    """Share of the channels that fire at each place and step, and its mean: of the kept ones as they are (`spikes`),
    of the dropped ones as they are with all channels kept (`everything`); by "kept" and "dropped", where there are any.
    """
    found = {}
    for what, source, chosen in (("kept", spikes, kept), ("dropped", everything, ~kept)):
        if chosen.any():
            maps = source[:, chosen].mean(1)
            times = [*(f"t = {t}" for t in range(1, len(maps) + 1)), mean_over(len(maps)) or ONLY]
            title = f"{plural(chosen.sum(), f'{what} channel')} · {name}"
            label = f"share of the {what} channels that fire"
            found[what] = Maps(title, np.concatenate([maps, maps.mean(0)[None]]), times, label)
    return found


def strength_and_rate(channels: pd.DataFrame, threshold: float, chosen: int, title: str) -> Chart:
    """Every channel of a layer: how strong its mask is and how much it fires; lines at the threshold and at the rate of
    the channel `chosen`. `channels`: channel, strength, kept, rate, and whatever else leaves as its numbers."""
    dots = []
    for name, colour, part in (
        ("kept", ACCENT, channels[channels["kept"]]),
        ("dropped", QUIET, channels[~channels["kept"]]),
    ):
        if len(part):
            dots.append(Line(part["strength"], part["rate"], name, colour, joined=False))
    own = channels.iloc[chosen]
    rules = [_line_at(threshold), Rule(float(own["rate"]), f"channel {chosen}")]
    top = max(float(channels["rate"].max()) * 1.15, 0.01)
    return Chart(
        title,
        STRENGTH,
        "firing rate",
        dots,
        rules,
        x_range=(-0.02, 1.02),
        y_range=(-0.03 * top, top),
        height=260,
        numbers=channels,
    )


def channel_maps(
    spikes: Num[np.ndarray, "T C H W"], channels: Sequence[int], titles: Sequence[str], title: str
) -> Maps:
    """Mean over time of some channels: at how many of the steps each place fires."""
    return Maps(title, spikes[:, list(channels)].mean(0), titles, f"share of {plural(len(spikes), 'step')}")


PARTS = {"kept": True, "dropped": False}


def carried(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Means over the kept and the dropped channels of each layer: layer, part, channels, rate, explained, predicted.

    `tables` by layer: channel, strength, kept, rate, explained (by class), predicted (by a kept channel).
    """
    rows = []
    for layer, channels in tables.items():
        for part, which in PARTS.items():
            own = channels[channels["kept"] == which]
            means = own[["rate", "explained", "predicted"]].astype(float).mean()
            rows.append({"layer": layer, "part": part, "channels": len(own), **means})
    return pd.DataFrame(rows)


def carried_chart(tables: Mapping[str, pd.DataFrame], names: Mapping[str, str]) -> Chart:
    """How much class explains of what kept and dropped channels of each layer fire; every channel is a row of its
    numbers. `tables` as in `carried`; `names`: of its layers in words."""
    means = carried(tables)
    bars = Bars([f"{names[row.layer]}, {row.part}" for row in means.itertuples()], means["explained"])
    every = pd.concat([channels.assign(layer=layer) for layer, channels in tables.items()], ignore_index=True)
    return Chart(
        "Kept and dropped channels by layer",
        "variance explained by class",
        "",
        [bars],
        height=70 + 17 * len(means),
        numbers=every,
    )


def carried_table(tables: Mapping[str, pd.DataFrame], names: Mapping[str, str]) -> str:
    """The rows of `carried`, layers in words."""
    rows = [
        (
            f"{names[row.layer]}, {row.part}",
            f"{row.channels}",
            _number(row.rate, ".3f"),
            _number(row.explained, ".1%"),
            _number(row.predicted, ".2f"),
        )
        for row in carried(tables).itertuples()
    ]
    heads = ("layer", "channels", "rate", "by class", "by a kept one")
    return table("Kept and dropped channels by layer", heads, rows)


def _number(value: float, form: str) -> str:
    return "–" if np.isnan(value) else format(value, form)


def accuracy_curve(
    curve: Mapping[str, Any] | None, threshold: float, point: tuple[float, float, str] | None = None
) -> Chart:
    """Accuracy against the threshold: a precomputed curve, and a point measured now with its standard error.

    point: accuracy, standard error, and what stands in the legend.
    """
    series, points, rules = [], pd.DataFrame(curve["points"] if curve else []), [_line_at(threshold)]
    if curve:
        if (last := all_gone(curve)) is not None:
            rules.append(Rule(last, "every masked channel gone"))
        low, high = _interval(points["accuracy"].to_numpy(), curve["samples"])
        series.append(Line(points["threshold"], points["accuracy"], "precomputed", band=(low, high)))
    if point:
        accuracy, error, name = point
        bar = np.array([accuracy - error, accuracy + error])
        series.append(Line([threshold] * 2, bar, colour=SECOND, points=False))
        series.append(Line([threshold], [accuracy], name, SECOND))
    return Chart(
        "Accuracy against threshold",
        "threshold",
        "accuracy",
        series,
        rules,
        x_range=(-0.02, 1.02),
        y_range=accuracy_range(series),
        height=300,
    )


def all_gone(curve: Mapping[str, Any]) -> float | None:
    """The accuracy of a curve where its masks let no channel pass; None where it does not go as far."""
    return next((point["accuracy"] for point in curve["points"] if point["masked"] == point["channels"]), None)


def _interval(accuracy: Float[np.ndarray, "n"], samples: int) -> tuple[np.ndarray, np.ndarray]:
    """One standard error to either side."""
    error = np.sqrt(accuracy * (1 - accuracy) / samples)
    return accuracy - error, accuracy + error


def kept_by_epoch(history: Sequence[Mapping[str, Any]]) -> Chart:
    """Share of channels that pass at 0.5 after each epoch, a curve for each site; dashed from the second block on."""
    epochs, names = [line["epoch"] for line in history], list(history[0]["masks"])
    blocks = list(dict.fromkeys(site(name).rpartition(" ")[0] for name in names))
    curves, rows = [], []
    for name in names:
        states = [line["masks"][name] for line in history]
        shares = [state["kept"] / state["channels"] for state in states]
        block, _, kind = site(name).rpartition(" ")
        curves.append(Line(epochs, shares, site(name), COLOURS[kind], dash=block != blocks[0]))
        rows += [(e, name, s["channels"], s["kept"]) for e, s in zip(epochs, states, strict=True)]
    numbers = pd.DataFrame(rows, columns=["epoch", "layer", "channels", "kept"])
    return Chart(
        "Kept channels by epoch",
        "epoch",
        "share of channels kept at 0.50",
        curves,
        y_range=(0, 1.02),
        height=300,
        numbers=numbers,
    )


def histories(history: Sequence[Mapping[str, Any]]) -> Maps:
    """Histogram of every site after each epoch: a column is an epoch, a row a twentieth of the strength, 1 at the
    top."""
    names = list(history[0]["masks"])
    counts = np.array([[line["masks"][name]["histogram"] for line in history] for name in names], dtype=float)
    shares = counts / np.maximum(counts.sum(-1, keepdims=True), 1)
    sites = [site(name) for name in names]
    axes = ("epoch", (history[0]["epoch"], history[-1]["epoch"]), "strength", (0.0, 1.0))
    upright = shares.transpose(0, 2, 1)[:, ::-1]
    return Maps("Mask values by epoch", upright, sites, "share of the site's channels", axes=axes)


def parameters_table(left: pd.DataFrame, sites: Sites) -> str:
    """Of `parameters_left`: one row a site, what no mask touches, and the sum."""
    rows = [
        (
            sites.get(row.layer, row.layer),
            f"{row.kept:,} of {row.channels:,}" if row.channels else "",
            f"{row.parameters:,}",
            f"{row.left:,}",
            f"{row.left / row.parameters:.1%}",
        )
        for row in left.itertuples()
    ]
    whole, rest = int(left["parameters"].sum()), int(left["left"].sum())
    last = ("all", "", f"{whole:,}", f"{rest:,}", f"{rest / whole:.1%}")
    return table("Parameters left", ("", "channels kept", "parameters", "left", ""), rows, last=last)


def parameters_chart(left: pd.DataFrame, sites: Sites) -> Chart:
    """Parameters left by site; both columns leave as its numbers."""
    bars = Bars([sites.get(layer, layer) for layer in left["layer"]], left["left"])
    return Chart("Parameters left", "parameters left", "", [bars], height=70 + 26 * len(left), numbers=left)


def costs_chart(costs: pd.DataFrame, title: str) -> Chart:
    """Energy of each network of `costs`: network, parameters, MACs, SOPs, picojoule."""
    bars = Bars(costs["network"], costs["picojoule"] / 1e6)
    return Chart(title, "estimated energy (µJ)", "", [bars], height=70 + 26 * len(costs), numbers=costs)


def costs_table(costs: pd.DataFrame, against: str) -> str:
    """The rows of `costs`; parameters and energy each with their ratio to the network `against`, where it is there."""
    base = next((row for row in costs.itertuples() if row.network == against), None)
    rows = [
        (
            row.network,
            f"{row.parameters:,}",
            f"{row.parameters / base.parameters:.2%}" if base else "–",
            energy(row.picojoule),
            f"{row.picojoule / base.picojoule:.2%}" if base else "–",
        )
        for row in costs.itertuples()
    ]
    over = f"of {against}" if base else ""
    return table("Parameters and energy", ("network", "parameters", over, "energy", over), rows)


def speed_chart(names: Sequence[str], found: Throughput) -> Chart:
    """Median samples a second of each network; the seconds of every round leave as its numbers."""
    rounds = pd.DataFrame({f"{name} (s)": own for name, own in zip(names, found.seconds, strict=True)})
    bars = Bars(names, [found.rate(number) for number in range(len(names))])
    return Chart("Measured speed", "samples a second", "", [bars], height=70 + 26 * len(names), numbers=rounds)


def paper_ratios() -> pd.DataFrame:
    """The paper's two tables as printed, in percent: size, data, parameters, energy of SDMFormer over Spikformer."""
    rows = [
        (size, data, parameters, power)
        for size, ratios in PAPER.items()
        for data, parameters, power in zip(DATA_SETS, *ratios, strict=True)
    ]
    return pd.DataFrame(rows, columns=["size", "data", "parameters (%)", "energy (%)"])


def paper_chart() -> Chart:
    """Energy of `paper_ratios`; both columns leave as its numbers."""
    printed = paper_ratios()
    names = [f"{size}, {data}" for size, data in zip(printed["size"], printed["data"], strict=True)]
    bars = Bars(names, printed["energy (%)"])
    label = "energy of SDMFormer over Spikformer (%)"
    return Chart("The paper's two tables, as printed", label, "", [bars], height=70 + 26 * len(names), numbers=printed)


def paper_table() -> str:
    """The rows of `paper_ratios`."""
    rows = [
        (f"{size}, {data}", f"{parameters:.2f}%", f"{power:.2f}%")
        for size, data, parameters, power in paper_ratios().itertuples(index=False)
    ]
    return table("SDMFormer over Spikformer, as printed", ("size, data", "parameters", "energy"), rows)
