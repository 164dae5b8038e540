"""What a batch teaches: a classifier its labels and what a teacher says, an autoencoder what was hidden from it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax

from spikeviz.artifacts.checkpoints import load
from spikeviz.convert.fill import fill
from spikeviz.interventions import HidePatches, QuantisationLevels
from spikeviz.models.spike_mae import SpikeMAE
from spikeviz.nn.layers import Head
from spikeviz.probe import Tape
from spikeviz.simulation import model_name
from spikeviz.train.recipes import Recipe, Stage, Teacher


@runtime_checkable
class Objective(Protocol):
    """The loss of a recipe.

    `prepare` runs before the model does, outside of the recipe's interventions; `loss` gets what it answered, and
    answers the loss and how many of the batch were right, where they were counted (None where nothing can be).
    """

    def prepare(self, x: Tensor, generator: torch.Generator) -> Any: ...
    def loss(
        self, model: Any, x: Tensor, y: Int[Tensor, " B"], prepared: Any
    ) -> tuple[Float[Tensor, ""], Int[Tensor, ""] | None]: ...


def objective_of(recipe: Recipe, model: nn.Module) -> Objective:
    """What a recipe teaches its model.

    Sets the weights that it begins with: its teacher's, or the encoder of `start`.

    Raises:
        ValueError: for a checkpoint there is none of, or one that does not fit.
    """
    if isinstance(model, SpikeMAE):
        return Pretraining(model.config.grid, model.config.ratio, recipe.views)
    if recipe.start:
        begin_with(model, recipe.start)
    teacher = load(recipe.teacher.checkpoint, next(model.parameters()).device) if recipe.teacher else None
    if teacher is not None:
        model.load_state_dict(teacher.state_dict())
    return Classification(recipe, teacher)


def begin_with(model: nn.Module, name: str) -> None:
    """Copy the encoder of the autoencoder `name` into a classifier, whose heads stay as they are.

    Raises:
        ValueError: if it is no autoencoder, or its encoder is another one, with the keys that differ.
    """
    autoencoder = load(name, "cpu")
    if not isinstance(autoencoder, SpikeMAE):
        raise ValueError(f"{name} is no autoencoder: {model_name(model)} can begin with the encoder of one alone.")
    heads = tuple(f"{key}." for key, module in model.named_modules() if isinstance(module, Head))
    own = {key: value for key, value in model.state_dict().items() if key.startswith(heads)}
    fill(model, own | autoencoder.encoder.state_dict(), f"the encoder of {name}")


class Classification:
    """Cross-entropy of the mean logits, and what a teacher says."""

    def __init__(self, recipe: Recipe, teacher: nn.Module | None):
        self.recipe, self.teacher = recipe, teacher

    @torch.no_grad()
    def prepare(self, x: Tensor, generator: torch.Generator) -> Float[Tensor, "B K"] | None:
        """The teacher's logits."""
        return None if self.teacher is None else self.teacher(x).mean(0).float()

    def loss(
        self, model: nn.Module, x: Tensor, y: Int[Tensor, " B"], prepared: Float[Tensor, "B K"] | None
    ) -> tuple[Float[Tensor, ""], Int[Tensor, ""]]:
        logits = model(x).mean(0).float()
        loss = cross_entropy(logits, y, label_smoothing=self.recipe.smoothing)
        if prepared is not None and self.recipe.teacher is not None:
            loss = distilled(loss, logits, prepared, self.recipe.teacher)
        return loss, (logits.argmax(-1) == y).sum()


def in_low_levels(
    model: nn.Module,
    x: Float[Tensor, "B C H W"],
    y: Int[Tensor, " B"],
    stage: Stage,
    generator: torch.Generator,
) -> Float[Tensor, ""]:
    """Half the cross-entropy of a part of a batch in one of a stage's low levels (`Stage.low_levels`).

    Batch normalisation takes its statistics from the whole levels, and these stay as they are: it is run in eval mode.
    """
    level = stage.low_levels[int(torch.randint(len(stage.low_levels), (), generator=generator))]
    seed = int(torch.randint(2**31, (), generator=generator))
    part = max(1, int(len(y) * stage.low_level_share))
    model.eval()
    with Tape((*stage.interventions, QuantisationLevels(level)), keep="", seed=seed).rolling():
        logits = model(x[:part]).mean(0).float()
    model.train()
    return 0.5 * cross_entropy(logits, y[:part])


class Pretraining:
    """Mean squared error over hidden patches (`SpikeMAE.loss`), which are drawn anew for every batch.

    With `views` the batch is seen twice, and what one half hides the other shows: the error is then a mean over every
    patch, guessed from the view in which it is not (E-SpikeFormer, Eq. 12-14, which guesses the second view alone).
    """

    def __init__(self, grid: int, ratio: float, views: bool):
        self.grid, self.hide, self.views = grid, HidePatches(ratio), views

    def prepare(self, x: Tensor, generator: torch.Generator) -> Bool[Tensor, "B 1 h w"]:
        """Which patches stay visible."""
        everything = torch.ones(len(x), 1, self.grid, self.grid, dtype=torch.bool, device=x.device)
        return self.hide.edit(everything, generator)[0]

    def loss(
        self, model: SpikeMAE, x: Tensor, y: Int[Tensor, " B"], prepared: Bool[Tensor, "B 1 h w"]
    ) -> tuple[Float[Tensor, ""], None]:
        if self.views:
            x, prepared = torch.cat([x, x]), torch.cat([prepared, ~prepared])
        return model.loss(x, prepared), None


def distilled(loss: Tensor, logits: Tensor, taught: Float[Tensor, "B K"], teacher: Teacher) -> Float[Tensor, ""]:
    """The student's own loss, and how far its softened answers are from the teacher's (`Teacher`)."""
    t = teacher.temperature
    apart = kl_div(log_softmax(logits / t, -1), log_softmax(taught / t, -1), reduction="batchmean", log_target=True)
    return (1 - teacher.weight) * loss + teacher.weight * t**2 * apart
