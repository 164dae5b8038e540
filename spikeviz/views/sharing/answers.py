"""What a network answers, in words: a class with its confidence, or how far off a reconstruction is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

if TYPE_CHECKING:
    from spikeviz.views.runs import Run


@dataclass(frozen=True)
class ClassAnswer:
    """What an input is taken for.

    Attributes:
        logits: of the classes, mean over t.
        classes: their names.
        label: the true class; None where nobody knows it.
    """

    logits: Sequence[float]
    classes: Sequence[str]
    label: int | None = None

    @cached_property
    def confidence(self) -> Float[np.ndarray, "K"]:
        """Softmax of the logits."""
        shares = np.exp(np.asarray(self.logits) - np.max(self.logits))
        return shares / shares.sum()

    @property
    def parts(self) -> tuple[str, str]:
        """The class, and what stands behind it: the confidence, and the true class if that is known."""
        best = int(self.confidence.argmax())
        truth = "" if self.label is None else f" · it is: {self.classes[self.label]}"
        return self.classes[best], f" {self.confidence[best]:.0%}{truth}"

    @property
    def text(self) -> str:
        """`Sneaker 98% · it is: Sneaker`."""
        return "".join(self.parts)


def class_answer(run: Run) -> ClassAnswer:
    """Of a network that classifies."""
    from spikeviz.views.inputs import data_of

    return ClassAnswer(run.recording.output[0].tolist(), data_of(run.card).classes, run.shown.label)


def answer_text(run: Run) -> str:
    """What the network of a run answers on its input."""
    return class_answer(run).text if run.card.classifies else _reconstruction(run)


def _reconstruction(run: Run) -> str:
    from spikeviz.views.reconstruction.overview import borrows, result

    found = result(run)
    hidden = f"{found.hidden} of {found.count} patches hidden"
    if borrows(run):
        return f"{hidden}; no error, since the pictures borrow mean and spread of each patch from the original"
    if found.errors is None:
        return f"{hidden}; no error over hidden patches"
    relative = "" if found.hidden == found.count else f", ×{found.errors['relative']:.2f} of the visible mean"
    numbers = f"PSNR {found.errors['PSNR']:.1f} dB, SSIM {found.errors['SSIM']:.3f}"
    return f"{hidden}: MSE {found.errors['MSE']:.4f}{relative}, {numbers}"
