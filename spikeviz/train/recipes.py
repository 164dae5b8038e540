"""Recipes: everything that decides a training run, as frozen values."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from spikeviz.artifacts.as_data import as_data
from spikeviz.artifacts.cards import CHOSEN_ON_VAL, TEST_HAD_A_SAY, find_card
from spikeviz.interventions import ATTENTION, Intervention, MaskSpikes, TimeConstant, TimeSteps
from spikeviz.models.variants import VARIANTS


@dataclass(frozen=True)
class Stage:
    """Some epochs of a run, trained under `interventions`; before them every current is multiplied by
    `current_gain`.

    Attributes:
        current_gain: goes into the normalisation in front of the neurons, which is where a current comes from.
        lr: starts a new cosine from this learning rate; None goes on with the one before.
        augment: False shows the pictures as they are, as at test time.
        temperatures: of channel masks, first and last; in between they rise by equal factors. None: masks are hard.
        low_levels: of a QCFS network, levels L in one of which, drawn anew, `low_level_share` of every batch is seen as
            well, batch normalisation as at test time; half of that loss is added. Ours, not the paper's: after t steps
            a converted network knows about as much as t levels do, and what it says then is a part of its answer.
        threshold_scale: what every threshold of a QCFS network is multiplied by before the stage; if not 1, the
            optimiser forgets its moments, which belong to other thresholds. Below 1 the same current makes more spikes,
            which tell sooner how large it is. Ours, as well.
        unrolled: of a QCFS network, T of its spiking twin, which is trained in its place through all its steps
            (`spikeviz.convert.to_spiking.unrolled`); 0 trains the QCFS network itself. Ours: a converted neuron takes
            no spike back, so that what random masks add to its currents becomes a bias, which this unlearns.
        share: of the pictures, drawn anew, that an epoch of the stage sees.
    """

    epochs: int
    interventions: tuple[Intervention, ...] = ()
    current_gain: float = 1.0
    lr: float | None = None
    augment: bool = True
    temperatures: tuple[float, float] | None = None
    low_levels: tuple[int, ...] = ()
    low_level_share: float = 0.25
    threshold_scale: float = 1.0
    unrolled: int = 0
    share: float = 1.0


# One step instead of four, a quarter of the work: with tau near 1 a neuron fires in that step if its current reaches
# the threshold. At tau 2 a first step charges half of a current, so with a gain of 2 the first step of the network is
# that of the one-step network (but for the attention's own neurons), and the later steps add to it. Ours, not the
# paper's; the paper (Spikformer V2, sec. 5.2.1) fine-tunes a network of one step for several.
ONE_STEP = (TimeSteps(1), TimeConstant(1.01))
ALL_STEPS = 2.0


@dataclass(frozen=True)
class Masks:
    """How channel masks are learned (SDMFormer, sec. 3.2; the numbers are ours, the paper's are lost).

    Attributes:
        penalty: lambda, times the share of the masked sites' weights that stays.
        lr: of the mask values at the recipe's `lr`; it follows the same curve.
    """

    penalty: float
    lr: float = 0.02


@dataclass(frozen=True)
class Teacher:
    """Distillation: a trained network teaches one that starts from its weights and runs under interventions.

    The Masked Spiking Transformer lets the unmasked network teach the masked one (sec. 4.3) and publishes neither loss
    nor temperature; both are ours: `(1 - weight) CE + weight temperature^2 KL(teacher || student)`, logits over
    temperature.

    Attributes:
        checkpoint: that teaches; it runs as it was trained.
        weight: of the teacher's part, 0 to 1.
        temperature: above 0.
    """

    checkpoint: str
    weight: float = 0.5
    temperature: float = 2.0


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        name: what `spikeviz train` takes; the checkpoint gets the same name.
        model: a name of `list_models`.
        data, split: what is trained on (`load_data`). `train` leaves val out, so that choices can be made on it;
            recipes that are older than val are on `train+val`, or on `train-10k`, and were chosen on the test set.
        stages: what is trained one after the other; the last one should be the network as it ships.
        batch, lr, final_lr, weight_decay: of AdamW; after `warmup` epochs lr falls along a cosine to `final_lr`
            (a stage may start another).
        smoothing: label smoothing.
        clip: largest gradient norm.
        shift: pictures are moved by up to this many pixels, and flipped left-right if `flip`.
        cutout: the side of a square that every picture loses, at any place (DeVries & Taylor, 2017), in pixels; 0 none.
        limit: train on the first `limit` pictures only, None for all.
        images: how many pictures there must be, so that nobody trains on a part without knowing; None for any.
        seed: of weights, order and augmentation.
        masks: how channel masks are learned, of a model that has some.
        teacher: of a network that is fine-tuned.
        start: an autoencoder whose encoder a classifier begins with.
        views: of an autoencoder: it also guesses what it saw from what was hidden (E-SpikeFormer, Eq. 12: two
            complementary views), so that every patch of an image is guessed once.
    """

    name: str
    model: str
    data: str
    split: str = "train"
    stages: tuple[Stage, ...] = (Stage(1),)
    batch: int = 64
    lr: float = 1e-3
    final_lr: float = 1e-5
    weight_decay: float = 0.06
    warmup: float = 0.2
    smoothing: float = 0.1
    clip: float = 1.0
    shift: int = 2
    flip: bool = True
    cutout: int = 0
    limit: int | None = None
    seed: int = 0
    masks: Masks | None = None
    teacher: Teacher | None = None
    images: int | None = None
    start: str | None = None
    views: bool = False

    @property
    def data_of(self) -> dict[str, Any]:
        """Everything that decides the run, as plain JSON values."""
        values = asdict(self)
        stages = zip(values["stages"], self.stages, strict=True)
        values["stages"] = [plain | {"interventions": as_data(stage.interventions)} for plain, stage in stages]
        return json.loads(json.dumps(values))

    @property
    def identity(self) -> str:
        """What the folder of a run is recognised by."""
        return json.dumps(self.data_of, sort_keys=True)

    @property
    def protocol(self) -> str:
        """What the card says of how it was chosen: on val, if val was left out here and where it begins. One on
        `train-10k` is older than val. Raises ValueError for an unknown checkpoint to begin with."""
        if self.split != "train":
            return TEST_HAD_A_SAY
        begun = [self.start, self.teacher and self.teacher.checkpoint]
        said = [find_card(name)[0].protocol for name in begun if name]
        return next((protocol for protocol in said if protocol != CHOSEN_ON_VAL), CHOSEN_ON_VAL)

    @property
    def epochs(self) -> int:
        return sum(stage.epochs for stage in self.stages)

    def interventions(self, epoch: int) -> tuple[Intervention, ...]:
        """What the epoch, counted from 0, is trained under."""
        return self.stage(epoch).interventions

    def stage(self, epoch: int) -> Stage:
        """The stage to which the epoch, counted from 0, belongs."""
        return [stage for stage in self.stages for _ in range(stage.epochs)][epoch]

    def cosine(self, epoch: int) -> tuple[int, int, float]:
        """First epoch, end and peak of the cosine along which the learning rate of the epoch falls."""
        start, end, peak = 0, 0, self.lr
        for stage in self.stages:
            if stage.lr is not None:
                if end > epoch:
                    break
                start, peak = end, stage.lr
            end += stage.epochs
        return start, end, peak

    def temperature(self, progress: float) -> float | None:
        """Of the channel masks at `progress` epochs into the run; None where they are hard."""
        start = 0
        for stage in self.stages:
            if progress < start + stage.epochs or stage is self.stages[-1]:
                break
            start += stage.epochs
        if stage.temperatures is None:
            return None
        first, last = stage.temperatures
        return first * (last / first) ** min(1.0, (progress - start) / stage.epochs)

    def begins(self, epoch: int) -> Stage | None:
        """The stage that begins with the epoch, counted from 0."""
        return [s for stage in self.stages for s in (stage, *[None] * (stage.epochs - 1))][epoch]


OFFICIAL = "train+val"  # what recipes were trained on before there was a val


def _espikeformer(name: str, data: str, stages: tuple[Stage, ...], images: int) -> Recipe:
    return Recipe(name, name, data, OFFICIAL, stages, lr=4e-3, smoothing=0.0, images=images)


def _events(name: str, data: str, stages: tuple[Stage, ...], split: str = "train-10k", **settings: Any) -> Recipe:
    """Event frames: moved by up to a pixel, never mirrored, since a shoe's toe points one way."""
    return Recipe(name, name, data, split, stages, batch=32, lr=2e-3, smoothing=0.0, shift=1, flip=False, **settings)


def _sdmformer(name: str, data: str, stages: tuple[Stage, ...], split: str) -> tuple[Recipe, ...]:
    """Of both forms of the LPE, trained alike."""
    return tuple(_events(name + form, data, stages, split, masks=Masks(0.3)) for form in ("", "-real-lpe"))


CONVOLUTIONS = {  # what every convolution but the first reads (`metrics.spike_masking.masking_places`)
    "resnet18": ("blocks.*.conv.input", "blocks.*.shortcut.input"),
    "vgg16": ("blocks.*.conv.input",),
}


def _qcfs(
    name: str, stages: tuple[Stage, ...], data: str = "fashion", split: str = "train", images: int = 55_000
) -> Recipe:
    return Recipe(name, name, data, split, stages, lr=2e-3, smoothing=0.0, images=images)


def _masked(percent: int, at: tuple[str, ...], **settings: Any) -> Stage:
    return Stage(1, (MaskSpikes(percent / 100, at=at),), **settings)


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
        *(_qcfs(f"mst-fashion-{form}", (Stage(2),), split=OFFICIAL, images=60_000) for form in ("layernorm", "strict")),
        _qcfs("mst-cifar10", (Stage(5), Stage(2, lr=1e-3, augment=False), LOWER), "cifar10-jpeg", OFFICIAL, 50_000),
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
