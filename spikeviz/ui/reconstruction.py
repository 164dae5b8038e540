"""A masked autoencoder on one image: what it saw, what it made of it, and how far off that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.ui import cards, patches, sketch
from spikeviz.ui.experiment import Networks
from spikeviz.ui.glossary import help_for

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor

    from spikeviz.figures.pictures import Pictures
    from spikeviz.recording import Recording
    from spikeviz.ui.lab import Lab, Run

TOKENS = "decoder.embed.input"  # what the encoder says, as the decoder gets it
FIG_8 = "Spikformer V2, sec. 5.4.3 and Fig. 8"
NETWORKS = Networks(
    lambda card: not card.classifies,
    "knows classes, and this page is about autoencoders",
    "spikformer-v2-mae-fashion",
)


@dataclass(frozen=True, eq=False)
class Result:
    """What came of one image.

    Attributes:
        image, made: original and reconstruction `[C, H, W]`; mask `[1, H, W]`, True where it was visible.
        hidden, count: patches hidden, and patches.
        errors: over hidden pixels (`reconstruction_errors`); None where they would say nothing.
        rank: effective rank of the visible tokens; None where there is none.
    """

    image: np.ndarray
    mask: np.ndarray
    made: np.ndarray
    hidden: int
    count: int
    errors: pd.Series | None
    rank: float | None

    def pictures(self, title: str) -> Pictures:
        """Original, masked, reconstructed, pasted."""
        from spikeviz.figures.reconstruction import quartet

        return quartet(self.image, self.mask, self.made, title)


def last(layers: Sequence[str]) -> str:
    """The layer whose spikes the decoder hears of."""
    return layers[-1]


def borrows(run: Run) -> bool:
    """Whether a picture takes mean and spread of its hidden patches from the original."""
    return run.opened.model.config.target == "patches"


def visible_tokens(recording: Recording) -> Tensor:
    """What the encoder says of the visible patches of a recording, `[tokens, C]`."""
    return recording[TOKENS].values[recording["patches"].values.flatten(1)]


def result(run: Run) -> Result:
    """Of the one image of a run."""
    from spikeviz.metrics import effective_rank, reconstruction_errors

    recording, batch = run.recording, run.shown.batch
    kept, tokens = recording["patches"].values[0], visible_tokens(recording)
    hidden = int((~kept).sum())
    errors = None if borrows(run) or not hidden else reconstruction_errors(batch, recording).iloc[0]
    image, mask, made = (x[0].cpu().numpy() for x in (batch, recording["mask"].values, recording.output))
    return Result(image, mask, made, hidden, kept.numel(), errors, effective_rank(tokens) if len(tokens) else None)


def picture(lab: Lab) -> None:
    """The four pictures with the patches to click, A below them, and the numbers of the moment."""
    from spikeviz.figures.reconstruction import picture_tiles
    from spikeviz.figures.render_html import strip

    found = result(lab.now)
    exhibit = found.pictures(f"Original, masked, reconstructed, pasted · {lab.now.shown.title}")
    notes = told(lab.now, found)
    said = _formula(lab.now, found)
    cards.title(exhibit, lab.page, "masked autoencoder")
    patches.sheet(exhibit, notes, lab.now, f"{lab.page}_sheet")
    with st.container(key="viewer_still"):
        st.html(strip(picture_tiles(exhibit, notes), 4, 140, 240))
    words, paper = st.columns([10, 1], vertical_alignment="center")
    words.markdown(said, help=help_for("effective rank"))
    with paper:
        sketch.draw(lab.page, lab.now.card)
    if lab.held:
        _held(lab)
    st.caption(f"{notice(lab.now, found)} *{FIG_8}* {about(lab.now)}")
    lab.exhibits.append((exhibit, notice(lab.now, found)))


def told(run: Run, found: Result) -> list[str]:
    """What stands below each of the four pictures."""
    score = "" if found.errors is None else f"hidden patches: PSNR {found.errors['PSNR']:.1f} dB"
    return [
        run.shown.title,
        f"{found.hidden} of {found.count} patches hidden",
        "every patch, as guessed",
        score or "visible patches are the image's own",
    ]


def _formula(run: Run, found: Result) -> str:
    if borrows(run):
        return (
            "This network learned every patch by its own mean and spread, so that its pictures **borrow mean and "
            "spread of each hidden patch from the original**: no error is shown, it would praise what was not guessed."
        )
    rank = "" if found.rank is None else f" {_rank(found)}"
    if found.errors is None:
        return f"**Nothing is hidden**: there is no patch to guess, and no error over hidden patches.{rank}"
    e, blind = found.errors, found.hidden == found.count
    fill = "" if blind else f", **×{e['relative']:.2f}** of filling with the visible mean"
    everything = "**Everything is hidden**: what is drawn depends on the image in nothing. " if blind else ""
    return (
        rf"{everything}$\mathrm{{MSE}} = \frac{{1}}{{|H|}}\sum_{{p \in H}} (x_p - \hat x_p)^2$ over {found.hidden} of "
        f"{found.count} patches = **{e['MSE']:.4f}**{fill} · PSNR **{e['PSNR']:.1f} dB** · SSIM **{e['SSIM']:.3f}**."
        f"{rank}"
    )


def _rank(found: Result) -> str:
    silent = "" if found.rank else ": the encoder says nothing of them"
    return f"Effective rank of the {found.count - found.hidden} visible tokens: **{found.rank:.1f}**{silent}."


def notice(run: Run, found: Result) -> str:
    """What to look at, as the numbers have it."""
    if found.errors is None or found.hidden == found.count:
        return "What to notice: hide some patches, and show others; the decoder guesses from what is left."
    own = np.abs(found.image - found.made).mean(0)
    seen, guessed = (float(own[part].mean()) for part in (found.mask[0], ~found.mask[0]))
    better = "nearer to the original than" if seen < guessed else "no nearer to the original than"
    return (
        f"What to notice: visible patches come out {better} hidden ones (mean absolute error {seen:.3f} against "
        f"{guessed:.3f}); only hidden ones were asked for in training."
    )


def about(run: Run) -> str:
    """Size, data and training of the network, and what was done to the input."""
    from spikeviz.data.catalog import find_data
    from spikeviz.models.registry import find_spec

    card, spec, config = run.card, find_spec(run.card.model), run.opened.model.config
    said = (
        f"{card.name}: {'demo size, ' if spec.demo else ''}{spec.params / 1e6:.2f} M parameters with its decoder, "
        f"{find_data(card.data).title}, {config.grid} x {config.grid} patches of {config.patch} pixels; the paper's "
        "Spikformer V2-12-512 sees ImageNet in 14 x 14 of 16."
    )
    notes = run.shown.notes
    return said + (f" {run.shown.title[0].upper()}{run.shown.title[1:]}: {', '.join(notes)}." if notes else "")


def _held(lab: Lab) -> None:
    """A's pictures, and what B changes of them."""
    from spikeviz.figures.chart import Maps
    from spikeviz.figures.reconstruction import picture_tiles
    from spikeviz.figures.render_html import map_tiles, strip

    a, b = result(lab.held), result(lab.now)
    exhibit = a.pictures(f"A · {lab.held.shown.title}")
    tiles = picture_tiles(exhibit, told(lab.held, a))[1:]
    if a.made.shape == b.made.shape:
        change = Maps("A−B", (a.made - b.made).mean(0)[None], ("A−B",), "difference of reconstructions", "difference")
        tiles += map_tiles(change, [f"of the reconstructions, from {change.maps.min():.2f} to {change.maps.max():.2f}"])
    st.markdown(f"**A**, {lab.held.said}: {_formula(lab.held, a)}")
    st.html(strip(tiles, 4, 140, 170))
    lab.exhibits.append((exhibit, notice(lab.held, a)))


def python(run: Run) -> list[str]:
    """Lines that give the numbers of this page from `recording`."""
    found = result(run)
    lines = ['made, mask = recording.output, recording["mask"].values  # mask: True = visible']
    if found.errors is not None:
        lines += ["errors = sv.metrics.reconstruction_errors(x, recording)  # over hidden pixels"]
    if found.rank is not None:
        lines += [
            f'tokens = recording["{TOKENS}"].values[recording["patches"].values.flatten(1)]  # visible ones',
            "rank = sv.metrics.effective_rank(tokens)",
        ]
    return lines
