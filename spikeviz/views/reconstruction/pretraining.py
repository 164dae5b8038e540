"""How an autoencoder learned: its pictures, its error and the effective rank of its tokens, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from spikeviz.display import plural
from spikeviz.views import runs
from spikeviz.views.address import Parameter, State
from spikeviz.views.reconstruction import ranks
from spikeviz.views.reconstruction.levels import siblings
from spikeviz.views.settings import whole
from spikeviz.views.view import Figure, Item, Note, Option, Over, Row

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.artifacts.replays import Replay
    from spikeviz.figures.pictures import Pictures
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene

SEC, FIG_10 = "Spikformer V2, sec. 4.2", "E-SpikeFormer, Eq. 29 and Fig. 10 b"
MOST = 10**4  # epochs of an address
EPOCH = "mae_epoch"  # what is looked at


def epoch_parameter(key: str) -> list[Parameter]:
    """`mae_epoch=3`: of the replay; without it the last one."""

    def read(state: State, text: str | None) -> State:
        return state.looking(EPOCH, None if text is None else whole(text, "an epoch", 0, MOST))

    def write(state: State) -> str | None:
        epoch = state.look(EPOCH)
        return None if epoch is None else str(epoch)

    return [Parameter(f"{key}_epoch", read, write)]


def training(scene: Scene) -> Iterator[Item]:
    """A few test images through pretraining, and the two curves."""
    card = scene.now.card
    try:
        replay = replay_of(card)
    except ValueError as error:
        yield Note(str(error), "error")
        return
    if replay is None:
        yield Note(
            f"There is no replay of the training of {card.name}: run `spikeviz train {card.recipe}` and publish the "
            "run with `spikeviz publish`."
        )
        return
    yield Row(_pictures(scene.now, replay), _curves(scene, replay), widths=(1.35, 1))


def replay_of(card: CheckpointCard) -> Replay | None:
    """What a training left behind, read once for everybody.

    Raises:
        ValueError: for a damaged file.
    """
    from spikeviz.artifacts.replays import find_replay

    return runs.DATA.get(("replay", card.name, card.sha256), lambda: find_replay(card.name))


def _pictures(run: Run, replay: Replay) -> Iterator[Item]:
    from spikeviz.figures.pictures import Pictures
    from spikeviz.views.reconstruction.charts import quartet

    last = len(replay.made) - 1
    epoch = yield Option(EPOCH, "Epoch", last, low=0, high=last, form="slider", help="0 is before training")
    side, kept = replay.images.shape[-1], replay.kept[:, None]
    masks = np.kron(kept, np.ones((1, 1, side // kept.shape[-2], side // kept.shape[-1]), bool)).astype(bool)
    rows = [
        quartet(image / 255, mask, made / 255, "")
        for image, mask, made in zip(replay.images, masks, replay.made[epoch], strict=True)
    ]
    titles = [f"{title}, {number}" for number, row in enumerate(rows) for title in row.titles]
    shown = Pictures(f"After epoch {epoch} of {last}", np.concatenate([row.images for row in rows]), titles)
    yield Figure(
        shown,
        f"The first {len(rows)} {_samples(run, replay)}, never trained on; {replay.ratio:.0%} of the patches hidden, "
        f"the same in every epoch. {_source(run.card)}",
        SEC,
        f"{len(rows)} images, each as original, masked, reconstructed and pasted, after epoch {epoch}: over "
        f"{replay.samples:,} images MSE {replay.error[epoch]:.4f}",
        html=partial(_tiles, shown),
        over=Over(f"the first {len(rows)} {_samples(run, replay)} of {run.card.data}", settings=f"after epoch {epoch}"),
    )


def _tiles(shown: Pictures) -> str:
    from spikeviz.figures.render_html import strip
    from spikeviz.views.reconstruction.charts import picture_tiles

    return strip(picture_tiles(shown, [""] * len(shown.titles)), 4, 70, 130)


def _samples(run: Run, replay: Replay) -> str:
    """What the images of a replay are called."""
    return run.samples.replace("test", replay.split, 1)


def _source(card: CheckpointCard) -> str:
    return f"Precomputed by `{card.training.get('command', f'spikeviz train {card.recipe}')}`."


def _curves(scene: Scene, replay: Replay) -> Iterator[Item]:
    from spikeviz.figures.chart import Rule
    from spikeviz.views.reconstruction.charts import epochs_chart

    card, epoch = scene.now.card, scene.look(EPOCH)
    found = {card.name: replay} | _twins(card)
    here = [] if epoch is None else [Rule(min(epoch, len(replay.error) - 1), "epoch shown", upright=True)]
    errors, by_epoch = ({name: getattr(r, what) for name, r in found.items()} for what in ("error", "rank"))
    many = f"{replay.samples:,} {_samples(scene.now, replay)}, ratio {replay.ratio:g}, one training each"
    over = Over(many, tuple(found), "after each epoch")
    yield Figure(
        epochs_chart("Error against epoch", "MSE, hidden pixels", errors, [Rule(replay.fill, "visible mean"), *here]),
        f"{many}. {_source(card)} Its last error is ×{replay.error[-1] / replay.fill:.2f} of that of the visible mean.",
        SEC,
        "Error after each epoch: " + ", ".join(f"{value:.4f}" for value in replay.error),
        "visible mean",
        over=over,
    )
    yield Figure(
        epochs_chart("Effective rank against epoch", "effective rank", by_epoch, here),
        f"Visible tokens of these images together, one training each. {verdict(by_epoch)} The paper, of its own "
        "networks on ImageNet: with binary spikes the rank falls in training, with integers it rises and settles.",
        FIG_10,
        "; ".join(f"{name} " + ", ".join(f"{v:.1f}" for v in values) for name, values in by_epoch.items()),
        "effective rank",
        over=over,
    )
    yield from ranks.over_batches(card, scene.now.samples)


def _twins(card: CheckpointCard) -> dict[str, Replay]:
    """The replays of autoencoders that differ from this one in their D alone."""
    others = [other for other in siblings(card).values() if other.name != card.name]
    return {other.name: there for other in others if (there := replay_of(other)) is not None}


def verdict(ranks: Mapping[str, np.ndarray]) -> str:
    """From where to where each curve goes from its first trained epoch on; of one training there is no error."""
    parts = []
    for name, values in ranks.items():
        trained = values[1:]
        if len(trained) < 2:
            parts.append(f"{name}: {values[-1]:.1f} after {plural(len(values) - 1, 'epoch')}")
        else:
            parts.append(f"{name} goes from {trained[0]:.1f} after epoch 1 to {trained[-1]:.1f} after {len(trained)}")
    return "Ours: " + "; ".join(parts) + "."
