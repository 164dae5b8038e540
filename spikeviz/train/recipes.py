"""Recipes: everything that decides a training run, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        name: what `spikeviz train` takes; the checkpoint gets the same name.
        model: a name of `list_models`.
        data, split: what is trained on (`load_data`).
        time_steps: T of every epoch, one entry each, None for the model's own. Cheap epochs at T = 1 may come first and
            the last ones fine-tune at the T that ships (Spikformer V2, sec. 5.2.1, does so).
        batch, lr, final_lr, weight_decay: of AdamW; after `warmup` epochs lr falls along a cosine to `final_lr`.
        smoothing: label smoothing.
        clip: largest gradient norm.
        shift: pictures are moved by up to this many pixels, and flipped left-right if `flip`.
        limit: train on the first `limit` pictures only, None for all.
        seed: of weights, order and augmentation.
    """

    name: str
    model: str
    data: str
    split: str = "train"
    time_steps: tuple[int | None, ...] = (None,)
    batch: int = 64
    lr: float = 1e-3
    final_lr: float = 1e-5
    weight_decay: float = 0.06
    warmup: float = 0.5
    smoothing: float = 0.1
    clip: float = 1.0
    shift: int = 2
    flip: bool = True
    limit: int | None = None
    seed: int = 0

    @property
    def epochs(self) -> int:
        return len(self.time_steps)


RECIPES: dict[str, Recipe] = {
    r.name: r
    for r in (
        Recipe("smoke", "spikformer-fashion", "fashion", "train-10k", time_steps=(1, 1), limit=4096, warmup=0.2),
        Recipe("spikformer-fashion", "spikformer-fashion", "fashion", time_steps=(1,) * 7 + (4,) * 2),
    )
}


def find_recipe(name: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ValueError: for an unknown name, with the names there are.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are {', '.join(RECIPES)}.")
    return RECIPES[name]
