"""Recipes: everything that decides a training run, as frozen values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from spikeviz.artifacts.as_data import as_data, from_data
from spikeviz.artifacts.cards import CHOSEN_ON_VAL, TEST_HAD_A_SAY, find_card
from spikeviz.interventions import Intervention


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

    @classmethod
    def from_data(cls, values: Mapping[str, Any]) -> Recipe:
        """What `data_of` gave; a field that an older recipe lacks has its default.

        Raises:
            TypeError: for a field that no recipe has.
        """
        kinds = {"masks": Masks, "teacher": Teacher}
        own = {name: kinds[name](**value) if name in kinds and value else value for name, value in values.items()}
        return cls(**own | {"stages": tuple(_stage(stage) for stage in values["stages"])})

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


def _stage(values: Mapping[str, Any]) -> Stage:
    own: dict[str, Any] = {name: tuple(x) if isinstance(x, list) else x for name, x in values.items()}
    return Stage(**own | {"interventions": from_data(values["interventions"])})
