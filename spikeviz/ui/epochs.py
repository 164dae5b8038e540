"""How an autoencoder learned: its pictures, its error and the effective rank of its tokens, epoch by epoch."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.artifacts.replays import Replay, find_replay
from spikeviz.ui.experiment import Parameter, recall, remember, shown, taken, whole

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.ui.lab import Lab

SEC, FIG_10 = "Spikformer V2, sec. 4.2", "E-SpikeFormer, Eq. 29 and Fig. 10 b"
MOST = 10**4  # epochs of an address


def epoch_parameter(page: str) -> Parameter:
    """`mae_epoch=3`: of the replay; without it the last one."""
    name = f"{page}_epoch"

    def read(text: str | None) -> None:
        remember(name, None if text is None else whole(text, "an epoch", 0, MOST))

    return Parameter(name, read, lambda: None if recall(name) is None else str(recall(name)))


def training(lab: Lab) -> None:
    """A few test images through pretraining, and the two curves."""
    card = lab.now.card
    try:
        replay = _replay(card.name, card.sha256)
    except ValueError as error:
        st.error(str(error))
        return
    if replay is None:
        st.caption(f"There is no replay of the training of {card.name}: `spikeviz train {card.recipe}` keeps one.")
        return
    left, right = st.columns([1.35, 1], gap="large")
    with left:
        _pictures(lab, replay)
    with right:
        _curves(lab, replay)


@st.cache_resource(max_entries=4, show_spinner=False)
def _replay(name: str, sha256: str) -> Replay | None:
    return find_replay(name)


def _pictures(lab: Lab, replay: Replay) -> None:
    from spikeviz.figures.pictures import Pictures
    from spikeviz.figures.reconstruction import picture_tiles, quartet
    from spikeviz.figures.render_html import strip

    name, last = f"{lab.page}_epoch", len(replay.made) - 1
    epoch = min(last if recall(name) is None else recall(name), last)
    st.slider(
        "Epoch", 0, last, step=1, key=shown(name, epoch), on_change=taken, args=(name, partial(remember, name)),
        help="0 is before training",
    )  # fmt: skip
    side, kept = replay.images.shape[-1], replay.kept[:, None]
    masks = np.kron(kept, np.ones((1, 1, side // kept.shape[-2], side // kept.shape[-1]), bool)).astype(bool)
    rows = [
        quartet(image / 255, mask, made / 255, "")
        for image, mask, made in zip(replay.images, masks, replay.made[epoch], strict=True)
    ]
    titles = [f"{title}, {number}" for number, row in enumerate(rows) for title in row.titles]
    exhibit = Pictures(f"After epoch {epoch} of {last}", np.concatenate([row.images for row in rows]), titles)
    lab.figure(
        exhibit,
        f"The first {len(rows)} {lab.now.samples}, never trained on; {replay.ratio:.0%} of the patches hidden, the "
        f"same in every epoch. {_source(lab.now.card)}",
        SEC, html=strip(picture_tiles(exhibit, [""] * len(titles)), 4, 70, 130),
    )  # fmt: skip


def _source(card: CheckpointCard) -> str:
    return f"Precomputed by `{card.training.get('command', f'spikeviz train {card.recipe}')}`."


def _curves(lab: Lab, replay: Replay) -> None:
    from spikeviz.figures.chart import Rule
    from spikeviz.figures.reconstruction import epochs_chart

    card, epoch = lab.now.card, recall(f"{lab.page}_epoch")
    found = {card.name: replay} | {
        other.name: there for other in twins(card) if (there := _replay(other.name, other.sha256)) is not None
    }
    here = [] if epoch is None else [Rule(min(epoch, len(replay.error) - 1), "epoch shown", upright=True)]
    errors, ranks = ({name: getattr(r, what) for name, r in found.items()} for what in ("error", "rank"))
    many = f"{replay.samples:,} {lab.now.samples}, ratio {replay.ratio:g}. {_source(card)}"
    lab.figure(
        epochs_chart("Error against epoch", "MSE, hidden pixels", errors, [Rule(replay.fill, "visible mean"), *here]),
        f"{many} The last error is ×{replay.error[-1] / replay.fill:.2f} of the visible mean.", SEC,
        alt="Error after each epoch: " + ", ".join(f"{value:.4f}" for value in replay.error), term="visible mean",
    )  # fmt: skip
    lab.figure(
        epochs_chart("Effective rank against epoch", "effective rank", ranks, here),
        f"Visible tokens of these images together. {verdict(ranks)} The paper, of networks of its own on ImageNet: "
        "with binary spikes the rank falls in training, with integers it rises and settles.",
        FIG_10, alt="; ".join(f"{name} " + ", ".join(f"{v:.1f}" for v in values) for name, values in ranks.items()),
        term="effective rank",
    )  # fmt: skip


def twins(card: CheckpointCard) -> list[CheckpointCard]:
    """Autoencoders that differ from this one in their D alone."""
    from spikeviz.ui.depths import siblings

    return [other for other in siblings(card).values() if other != card]


def verdict(ranks: dict[str, np.ndarray]) -> str:
    """Where each curve goes from its first trained epoch on, in words."""
    said = []
    for name, values in ranks.items():
        trained = values[1:]
        if len(trained) < 2:
            said.append(f"{name}: {values[-1]:.1f} after {len(values) - 1} epochs")
        else:
            way = "rises" if trained[-1] > trained[0] else "falls"
            said.append(f"{name} {way} from {trained[0]:.1f} after epoch 1 to {trained[-1]:.1f} after {len(trained)}")
    return "Ours: " + "; ".join(said) + "."
