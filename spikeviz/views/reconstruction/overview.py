"""A masked autoencoder on one image: what it saw, what it made of it, and how far off that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from spikeviz.views.inputs import foreign
from spikeviz.views.reconstruction.settings import hide
from spikeviz.views.view import Component, Figure, Item, Note, Row
from spikeviz.views.viewer_data import PatchData

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.figures.chart import Maps
    from spikeviz.figures.pictures import Pictures
    from spikeviz.recording import Recording
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

FIG_8 = "Spikformer V2, sec. 5.4.3 and Fig. 8"


@dataclass(frozen=True, eq=False)
class Result:
    """What came of one image.

    Attributes:
        image, made: original and reconstruction `[C, H, W]`; mask `[1, H, W]`, True where it was visible.
        kept: of each patch, whether it was visible.
        errors: over hidden pixels (`reconstruction_errors`); None where they would say nothing.
        rank: effective rank of the visible tokens; None where there is none.
    """

    image: np.ndarray
    mask: np.ndarray
    made: np.ndarray
    kept: np.ndarray
    errors: Mapping[str, float] | None
    rank: float | None

    @property
    def count(self) -> int:
        """Patches of the image."""
        return self.kept.size

    @property
    def hidden(self) -> int:
        """How many of them were hidden."""
        return int((~self.kept).sum())

    def pictures(self, title: str) -> Pictures:
        """Original, masked, reconstructed, pasted."""
        from spikeviz.views.reconstruction.charts import quartet

        return quartet(self.image, self.mask, self.made, title)


def borrows(run: Run) -> bool:
    """Whether a picture takes mean and spread of its hidden patches from the original."""
    return run.model.config.target == "patches"


def smooth_width(card: CheckpointCard, share: float) -> float | None:
    """Width of the Gaussian of a smooth fill-in, in pixels: of a card, at its ratio that is nearest to the share of
    hidden patches; None where it holds none."""
    points = [point for point in card.measured.get("against_ratio", ()) if "width" in point]
    return min(points, key=lambda point: abs(point["ratio"] - share))["width"] if points else None


def result(run: Run) -> Result:
    """Of the one image of a run."""

    def make(recording: Recording) -> Result:
        from spikeviz.evaluation.hidden_errors import visible_tokens
        from spikeviz.metrics import effective_rank, reconstruction_errors

        batch, kept, tokens = run.batch, recording["patches"].values[0].cpu().numpy(), visible_tokens(recording)
        measured = not borrows(run) and not kept.all()
        width = smooth_width(run.card, float((~kept).mean()))
        errors = reconstruction_errors(batch, recording, width).iloc[0].to_dict() if measured else None
        image, mask, made = (x[0].cpu().numpy() for x in (batch, recording["mask"].values, recording.output))
        return Result(image, mask, made, kept, errors, effective_rank(tokens) if len(tokens) else None)

    return run.once("reconstruction", make)


def picture(scene: Scene) -> Iterator[Item]:
    """The four pictures with the patches to click, the numbers of the moment, a pad to draw on, and A below them."""
    run = scene.now
    found = result(run)
    pictures = found.pictures(f"Original, masked, reconstructed, pasted · {run.shown.title}")
    below = notes(run, found)
    shown = Figure(
        pictures,
        notice(found),
        FIG_8,
        "; ".join(f"{title}: {note}" for title, note in zip(pictures.titles, below, strict=True)),
        "masked autoencoder",
    )
    hidden = (~found.kept).ravel().nonzero()[0].tolist()
    data = PatchData(pictures, below, run.model.config.grid, hidden, run.status_text, partial(hide, run.model))
    yield Component("patch_grid", data, shown, partial(still, pictures, below))
    yield Row(
        [Note(formula(run, found), "text", "effective rank")],
        [Component("sketch_pad", run.card, None)],
        widths=(8, 1),
    )
    if scene.compared:
        yield from _compared(scene, scene.compared)
    yield Note(about(run))


def still(pictures: Pictures, below: list[str]) -> str:
    """The four pictures as HTML."""
    from spikeviz.figures.render_html import strip
    from spikeviz.views.reconstruction.charts import picture_tiles

    return strip(picture_tiles(pictures, below), 4, 140, 240)


def notes(run: Run, found: Result) -> list[str]:
    """What stands below each of the four pictures."""
    score = "" if found.errors is None else f"hidden patches: PSNR {found.errors['PSNR']:.1f} dB"
    return [
        run.shown.title,
        f"{found.hidden} of {found.count} patches hidden",
        "every patch, as guessed",
        score or "visible patches are the image's own",
    ]


def formula(run: Run, found: Result) -> str:
    """The error with the numbers of the moment, and the effective rank."""
    rank = "" if found.rank is None else f" {_rank(found)}"
    if borrows(run):
        return (
            "This network learned every patch by its own mean and spread, so its pictures **borrow mean and spread of "
            "each hidden patch from the original**. No error is shown: it would credit information the model was "
            f"given.{rank}"
        )
    if found.errors is None:
        return f"**Nothing is hidden**: there is no patch to guess, and no error over hidden patches.{rank}"
    e, blind = found.errors, found.hidden == found.count
    fill = "" if blind else f", **×{e['relative']:.2f}** of filling with the visible mean"
    if not blind and "smooth" in e:
        share = found.hidden / found.count
        fill += (
            f", **×{e['over_smooth']:.2f}** of a smooth fill-in (visible pixels weighted by a Gaussian of "
            f"{smooth_width(run.card, share):g} pixels, chosen on training images)"
        )
    everything = "**Everything is hidden**: what is drawn does not depend on the image. " if blind else ""
    return (
        rf"{everything}$\mathrm{{MSE}} = \frac{{1}}{{|H|}}\sum_{{p \in H}} (x_p - \hat x_p)^2$ over {found.hidden} of "
        f"{found.count} patches = **{e['MSE']:.4f}**{fill} · PSNR **{e['PSNR']:.1f} dB** · SSIM **{e['SSIM']:.3f}**."
        f"{rank}"
    )


def _rank(found: Result) -> str:
    silent = "" if found.rank else ": the encoder is silent there"
    return f"Effective rank of the {found.count - found.hidden} visible tokens: **{found.rank:.1f}**{silent}."


def notice(found: Result) -> str:
    """What to notice, as the numbers have it."""
    if found.errors is None or found.hidden == found.count:
        return "What to notice: hide some patches and show others; the decoder guesses from what is left."
    own = np.abs(found.image - found.made).mean(0)
    seen, guessed = (float(own[part].mean()) for part in (found.mask[0], ~found.mask[0]))
    return (
        f"What to notice: the mean absolute error of this image is {seen:.3f} on visible patches, {guessed:.3f} on "
        "hidden ones. Training asked for the hidden ones only."
    )


def about(run: Run) -> str:
    """Size, data and training of the network, and what was done to the input."""
    from spikeviz.data.catalog import find_data
    from spikeviz.models.registry import find_spec

    card, spec, config = run.card, find_spec(run.card.model), run.model.config
    text = (
        f"{card.name}: {'demo size, ' if spec.demo else ''}{spec.params / 1e6:.2f} M parameters with its decoder, "
        f"{find_data(card.data).title}, {config.grid} x {config.grid} patches of {config.patch} pixels; the paper's "
        "Spikformer V2-12-512 sees ImageNet in 14 x 14 of 16."
    )
    done, title = run.shown.notes, run.shown.title
    text = " ".join(filter(None, [text, foreign(run.experiment, card)]))
    return text + (f" {title[0].upper()}{title[1:]}: {', '.join(done)}." if done else "")


def _compared(scene: Scene, other: Run) -> Iterator[Item]:
    """A's pictures, and what B changes of its reconstruction."""
    from spikeviz.figures.chart import Maps
    from spikeviz.figures.render_html import map_tiles, strip

    a, b = result(other), result(scene.now)
    yield Note(f"**A**, {other.status_text}: {formula(other, a)}", "text")
    pictures, below = a.pictures(f"A · {other.shown.title}"), notes(other, a)
    shown = Figure(pictures, notice(a), FIG_8, html=partial(still, pictures, below))
    if a.made.shape != b.made.shape:
        yield shown
        return
    title, label = "A−B of the reconstructions", "difference, mean over channels"
    change = Maps(title, (a.made - b.made).mean(0)[None], ("A−B",), label, "difference")

    def drawn(maps: Maps) -> str:
        return strip(map_tiles(maps, [f"from {maps.maps.min():.2f} to {maps.maps.max():.2f}"]), 1, 140, 240)

    words = "The reconstruction of A less that of B, mean over channels. Orange: A is brighter; purple: B is."
    yield Row([shown], [Figure(change, words, html=partial(drawn, change))], widths=(4, 1.1))
