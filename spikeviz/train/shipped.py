"""The recipes of the networks that ship, and the one door to them, `find_recipe`."""

from __future__ import annotations

from typing import Any

from spikeviz.interventions import ATTENTION, MaskSpikes, TimeConstant, TimeSteps
from spikeviz.models.variants import VARIANTS
from spikeviz.train.recipes import Masks, Recipe, Stage, Teacher

# One step instead of four, a quarter of the work: with tau near 1 a neuron fires in that step if its current reaches
# the threshold. At tau 2 a first step charges half of a current, so with a gain of 2 the first step of the network is
# that of the one-step network (but for the attention's own neurons), and the later steps add to it. Ours, not the
# paper's; the paper (Spikformer V2, sec. 5.2.1) fine-tunes a network of one step for several.
ONE_STEP = (TimeSteps(1), TimeConstant(1.01))
ALL_STEPS = 2.0

OFFICIAL = "train+val"  # what recipes were trained on before there was a val


def _espikeformer(name: str, data: str, stages: tuple[Stage, ...], images: int) -> Recipe:
    return Recipe(name, name, data, OFFICIAL, stages, lr=4e-3, smoothing=0.0, images=images)


def _events(name: str, data: str, stages: tuple[Stage, ...], split: str = "train-10k", **settings: Any) -> Recipe:
    """Event frames: moved by up to a pixel, never mirrored, since a shoe's toe points one way."""
    return Recipe(name, name, data, split, stages, batch=32, lr=2e-3, smoothing=0.0, shift=1, flip=False, **settings)


def _sdmformer(name: str, data: str, stages: tuple[Stage, ...], split: str) -> tuple[Recipe, ...]:
    """Of both forms of the LPE, trained alike."""
    return tuple(_events(name + form, data, stages, split, masks=Masks(0.3)) for form in ("", "-real-lpe"))


# What students were trained under: whole activations dropped, with the shortcut beside a convolution (`law="whole"`).
CONVOLUTIONS = {
    "resnet18": ("stem.spike", "blocks.*.layer.spike", "blocks.[0-6].out.spike"),
    "vgg16": ("stem.spike", "blocks.[0-9].spike", "blocks.10.spike"),
}


def _qcfs(
    name: str, stages: tuple[Stage, ...], data: str = "fashion", split: str = OFFICIAL, images: int = 60_000
) -> Recipe:
    return Recipe(name, name, data, split, stages, lr=2e-3, smoothing=0.0, images=images)


def _masked(percent: int, at: tuple[str, ...], **settings: Any) -> Stage:
    return Stage(1, (MaskSpikes(percent / 100, at=at, law="whole"),), **settings)


def _student(teacher: str, form: str, stages: tuple[Stage, ...], lr: float) -> Recipe:
    """Fine-tuned under random masks, beginning with its teacher's weights."""
    name, images = f"{teacher}-{form}", 60_000
    return Recipe(
        name, teacher, "fashion", OFFICIAL, stages, lr=lr, smoothing=0.0, teacher=Teacher(teacher), images=images
    )


def _mst_student(percent: int, suffix: str = "", at: tuple[str, ...] = ATTENTION) -> Recipe:
    stages = _masked(percent, at), _masked(percent, at, lr=2e-4, augment=False)
    return _student("mst-fashion", f"rsm{percent}{suffix}", stages, lr=5e-4)


def _cnn_students(teacher: str, at: tuple[str, ...]) -> tuple[Recipe, ...]:
    """Masks before every convolution need more epochs than those of attention."""
    half, most = (_masked(percent, at, augment=False) for percent in (50, 75))
    return (
        _student(teacher, "rsm50", (half, half), lr=2e-3),
        _student(teacher, "rsm75", (half, most, most, most), lr=2e-3),
    )


def _autoencoder(name: str, data: str, epochs: int, images: int) -> Recipe:
    return Recipe(name, name, data, OFFICIAL, (Stage(epochs),), lr=4e-3, weight_decay=0.05, images=images)


def _fashion_v2(form: str, start: str | None) -> Recipe:
    """From fresh weights or from an autoencoder's; what is between the two is where they begin."""
    name = "spikformer-v2-fashion"
    stages = (Stage(4),)
    return Recipe(
        f"{name}-{form}", name, "fashion", OFFICIAL, stages, lr=2e-3, smoothing=0.0, start=start, images=60_000
    )


# Masks are soft and harden in the first part, and hard in the last, where the rest learns to do without what is gone.
SOFT_THEN_HARD = (Stage(6, temperatures=(5.0, 100.0)), Stage(4))

IN_ONE_STEP_THEN_ALL = (Stage(3, ONE_STEP), Stage(1, current_gain=ALL_STEPS))

# Pictures as they are, at three falling learning rates.
IN_THREE_PARTS = (Stage(5, augment=False), Stage(2, lr=2e-3, augment=False), Stage(1, lr=6e-4, augment=False))

# Augmented pictures, then pictures as they are.
QCFS = (Stage(6), Stage(3, lr=1e-3, augment=False))

# A third part in which pictures are also seen in low levels: a converted network then loses less accuracy.
LOW_LEVELS = (1, 1, 2, 3, 4)
IN_LOW_LEVELS = (*QCFS, Stage(2, lr=1e-3, augment=False, low_levels=LOW_LEVELS))

# An epoch with lower thresholds: where a converted network needs many steps, more spikes tell sooner.
LOWER = Stage(1, lr=1e-3, augment=False, low_levels=LOW_LEVELS, threshold_scale=0.6)

# Five networks that differ in their neurons and in nothing else, trained alike: what is between them is SFA.
SFA_AND_VANILLA = (*(f"e-spikeformer-fashion-sfa{d}" for d in (1, 2, 4, 8)), "e-spikeformer-fashion-vanilla4")
RECIPES: dict[str, Recipe] = {
    r.name: r
    for r in (
        Recipe(
            "smoke",
            "spikformer-fashion",
            "fashion",
            "train-10k",
            stages=(Stage(2, ONE_STEP), Stage(1, current_gain=ALL_STEPS)),
            limit=1024,
        ),
        Recipe(
            "spikformer-fashion",
            "spikformer-fashion",
            "fashion",
            OFFICIAL,
            stages=(
                Stage(6, ONE_STEP),
                Stage(2, current_gain=ALL_STEPS),
                Stage(1, lr=4e-4, augment=False),
                Stage(2, lr=4e-4, augment=False),
            ),
            images=60_000,
        ),
        *(
            Recipe(v.name, v.name, "fashion", stages=IN_ONE_STEP_THEN_ALL, images=55_000)
            for v in VARIANTS  # what is between them is attention, stem or residual
        ),
        *(_espikeformer(n, "fashion", IN_THREE_PARTS, 60_000) for n in SFA_AND_VANILLA),
        _events("spikformer-fashion-dvs", "fashion-dvs", (Stage(10),)),
        *_sdmformer("sdmformer-fashion-dvs", "fashion-dvs", SOFT_THEN_HARD, "train-10k"),
        *_sdmformer("sdmformer-nmnist", "nmnist", (Stage(30, temperatures=(5.0, 100.0)), Stage(20)), OFFICIAL),
        *(_events(f"e-spikeformer-fashion-dvs-d{d}", "fashion-dvs-4", (Stage(10),)) for d in (1, 4)),
        _espikeformer("e-spikeformer-cifar-sfa4", "cifar10-jpeg", (Stage(4),), 50_000),
        _qcfs("mst-fashion", IN_LOW_LEVELS),
        *(_qcfs(f"mst-fashion-{form}", (Stage(2),)) for form in ("layernorm", "strict")),
        _qcfs("mst-cifar10", (Stage(5), Stage(2, lr=1e-3, augment=False), LOWER), "cifar10-jpeg", images=50_000),
        _qcfs("mst-resnet18-fashion", (*IN_LOW_LEVELS, LOWER)),
        _qcfs("mst-vgg16-fashion", QCFS),
        _mst_student(50),
        _mst_student(75),
        _mst_student(50, "-mlp", ("*.mlp.hidden.spike",)),
        *(student for cnn, at in CONVOLUTIONS.items() for student in _cnn_students(f"mst-{cnn}-fashion", at)),
        _events("mst-fashion-dvs", "fashion-dvs", (Stage(10),)),
        _autoencoder("spikformer-v2-mae-fashion", "fashion", 6, 60_000),
        *(_autoencoder(f"spike-mae-cifar{form}", "cifar10-jpeg", 4, 50_000) for form in ("", "-binary")),
        _fashion_v2("scratch", None),
        _fashion_v2("pretrained", "spikformer-v2-mae-fashion"),
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
