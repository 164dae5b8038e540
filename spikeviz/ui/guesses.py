"""How well an autoencoder guesses: its error against the ratio, where it is wrong, and how rich its tokens are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from spikeviz.interventions import HidePatches
from spikeviz.ui import cards, jobs, runs
from spikeviz.ui.reconstruction import TOKENS, borrows, result, visible_tokens

if TYPE_CHECKING:
    from spikeviz.ui.lab import Lab, Run

RATIOS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9)
SAMPLES, BATCH = 128, 64
SEC, EQ_29 = "Spikformer V2, sec. 5.2.1 and 5.4.3", "E-SpikeFormer, Eq. 29 and Fig. 10 b"


def errors(lab: Lab) -> None:
    """The error against the ratio, by the card and measured now; and this image, pixel by pixel."""
    if borrows(lab.now):
        st.caption(
            "Its pictures borrow mean and spread from the original, so that an error of them would mean nothing."
        )
        return
    left, right = st.columns(2, gap="large")
    with left:
        _against_ratio(lab)
    with right:
        _where(lab)
        _ranks(lab)


def _against_ratio(lab: Lab) -> None:
    from spikeviz.figures.reconstruction import error_against_ratio

    run, trained = lab.now, lab.now.opened.model.config.ratio
    points = run.card.measured.get("against_ratio", ())
    if points:
        lab.figure(
            error_against_ratio(points, (), trained),
            f"Means over images. {verdict(points, trained)} Precomputed by `{run.card.command}`: the first "
            f"{points[0]['samples']:,} {run.samples} of {run.card.data}, {run.card.device}.",
            SEC, alt=_said(points), term="visible mean",
        )  # fmt: skip
    else:
        st.caption(f"The card of {run.card.name} holds no errors: `{run.card.command}` computes them.")
    count = min(SAMPLES, run.card.samples)
    total = len(RATIOS) * -(-count // BATCH)
    seconds = len(RATIOS) * count * run.opened.milliseconds / 1000
    jobs.panel(
        f"guesses {run.card.sha256} {_others(run)!r} {run.experiment.seed} {count}", "Measured now, at this setting",
        total, partial(_work, run, count), partial(_draw, lab), label=f"Measure {len(RATIOS)} ratios",
        note=f"The first {count:,} {run.samples}, patches at random, at most {jobs.duration(seconds)}.",
    )  # fmt: skip


def _others(run: Run) -> tuple:
    return tuple(i for i in run.experiment.interventions if not isinstance(i, HidePatches))


def _work(run: Run, count: int) -> Iterator[tuple[int, list[dict]]]:
    """A unit of work is a batch at one ratio; every batch has a seed of its own."""
    import pandas as pd
    import torch

    import spikeviz as sv
    from spikeviz.metrics import effective_rank, reconstruction_errors

    batches = runs.some(run.card.data, count)[0]().split(BATCH)
    done, table, keep = 0, [], (*runs.MADE, TOKENS)
    for ratio in RATIOS:
        found, tokens = [], []
        for number, x in enumerate(batches):
            hide = (HidePatches(ratio), *_others(run))
            recording = sv.simulate(run.opened.model, x, hide, keep, run.experiment.seed + number)
            found.append(reconstruction_errors(x, recording))
            tokens.append(visible_tokens(recording))
            done += 1
            yield done, table
        mean = {name.lower(): float(value) for name, value in pd.concat(found).mean().items()}
        mean["relative"] = mean["mse"] / mean["fill"]
        point = {"ratio": ratio, "samples": count, **mean, "rank": effective_rank(torch.cat(tokens))}
        table = [*table, point]
        yield done, table


def _draw(lab: Lab, points: list[dict], job: jobs.Job) -> None:
    if not points:
        return
    from spikeviz.figures.reconstruction import error_against_ratio

    run, trained = lab.now, lab.now.opened.model.config.ratio
    ranks = ", ".join(f"{point['rank']:.1f} at {point['ratio']:g}" for point in points)
    cards.figure(
        error_against_ratio((), points, trained),
        f"{len(points)} of {len(RATIOS)} ratios, {points[0]['samples']:,} {run.samples}, seed {run.experiment.seed}, "
        f"{run.recording.device.upper()}, {job.seconds:.0f} s. {verdict(points, trained)} Effective rank of the "
        f"visible tokens: {ranks}.",
        SEC, page=f"{lab.page}_live", alt=_said(points), files=job.over,
    )  # fmt: skip


def verdict(points: list[dict[str, Any]], trained: float) -> str:
    """What a curve of errors says, in words."""
    best = min(points, key=lambda point: point["relative"])
    worst = max(points, key=lambda point: point["relative"])
    beats = [point for point in points if point["relative"] < 1]
    many = "every ratio" if len(beats) == len(points) else f"{len(beats)} of {len(points)} ratios"
    own = next((f"; ×{p['relative']:.2f} at the ratio of its training" for p in points if p["ratio"] == trained), "")
    return (
        f"It beats the visible mean at {many}: by most at {best['ratio']:g} (×{best['relative']:.2f}), by least at "
        f"{worst['ratio']:g} (×{worst['relative']:.2f}){own}."
    )


def _said(points: list[dict[str, Any]]) -> str:
    return "Error over hidden pixels against mask ratio: " + ", ".join(
        f"{point['ratio']:g} {point['mse']:.4f}" for point in points
    )


def _where(lab: Lab) -> None:
    from spikeviz.figures.reconstruction import patch_errors
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip

    found = result(lab.now)
    maps = patch_errors(found.image, found.mask, found.made)
    notes = [f"largest {values.max():.2f}" for values in maps.maps]
    lab.figure(
        maps, "This image; beyond 1 the colour is that of 1. An edge that no visible patch hints at cannot be guessed.",
        SEC, html=strip(map_tiles(maps, notes), 2, 96, 190) + rate_bar(maps.label),
    )  # fmt: skip


def _ranks(lab: Lab) -> None:
    found, shipped = result(lab.now), lab.now.card.measured.get("effective_rank")
    most = min(found.count - found.hidden, lab.now.opened.model.config.dim)
    here = f"**{found.rank:.1f}** of at most {most}" if found.rank is not None else "none, since nothing is visible"
    st.markdown(f"**Effective rank** of the visible tokens, this image: {here}.")
    if shipped:
        st.caption(
            f"Of the first {shipped['samples']:,} {lab.now.samples} together, at ratio {shipped['ratio']:g}: "
            f"{shipped['rank']:.1f} of at most {lab.now.opened.model.config.dim} channels, precomputed by "
            f"`{lab.now.card.command}`. The paper prints no numbers. *{EQ_29}*"
        )
