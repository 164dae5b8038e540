"""Random spike masking on one input: what is dropped, what that saves, and how sure the network still is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from spikeviz.artifacts.as_data import from_data
from spikeviz.artifacts.checkpoints import skeleton
from spikeviz.interventions import MaskSpikes
from spikeviz.metrics.spike_masking import CONVOLUTION, masked_sites, masking_places
from spikeviz.ui import opening, sites
from spikeviz.ui.experiment import Networks, remember, shown, taken
from spikeviz.ui.glossary import help_for

if TYPE_CHECKING:
    from torch import Tensor, nn

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.metrics.spike_masking import Place
    from spikeviz.ui.experiment import Experiment
    from spikeviz.ui.lab import Lab, Run

SEEDS = range(10)
SEC, TABLE = "Masked Spiking Transformer, sec. 3.4", "Masked Spiking Transformer, Eq. 10 and Table 3"
KINDS = {"mst": "MST", "resnet18": "ResNet18", "vgg16": "VGG16"}  # as the paper's Table 3 calls them


def kind(card: CheckpointCard) -> str | None:
    """What the paper calls a network of this kind; None of one that was not trained with QCFS."""
    from spikeviz.models.registry import SPECS

    spec = SPECS.get(card.model)
    if spec is None or spec.family not in ("mst", "mst-cnn"):
        return None
    return KINDS[getattr(spec.config, "form", "mst")]


NETWORKS = Networks(
    lambda card: kind(card) is not None,
    "was not trained with QCFS, and this page is about networks that were",
    "mst-fashion",
)


def first(layers: Sequence[str]) -> str:
    """The first layer whose spikes are masked."""
    return next((layer for layer in layers if layer.endswith("attn.q")), layers[0])


def rule(run: Run) -> MaskSpikes:
    """The mask of a run, also where its ratio is 0."""
    return sites.masking(run.opened.model)[0].rule(run.experiment)


def places(run: Run) -> list[Place]:
    """Where the mask of a run acts."""
    return sites.masked(rule(run), masking_places(run.opened.model))


def where(run: Run) -> str:
    """The masked places in words: `q, k, scores of blocks 0-3`."""
    _, *_, chosen, blocks = sites.masking(run.opened.model)
    numbers = blocks.text(blocks.value(run.experiment)).replace(".", ", ")
    kinds = chosen.value(run.experiment)
    return (
        f"what enters convolutions {numbers}" if kinds == (CONVOLUTION,) else f"{', '.join(kinds)} of blocks {numbers}"
    )


def at_ratio(lab: Lab, ratio: float) -> Run:
    """The same input, places and T at another ratio; 0 is the unmasked run."""
    setting = sites.masking(lab.now.opened.model)[0]
    wanted = setting.put(lab.now.experiment, ratio) if ratio else lab.now.experiment.set(MaskSpikes, None)
    return opening.run(wanted, lab.now.shown, lab.layer, sites.masking)


def keeps(lab: Lab) -> None:
    """The formula with the numbers of the moment, power beside the paper's, and what the network is and is not."""
    from spikeviz.figures.spike_masking import TABLE_3, watts
    from spikeviz.metrics import power
    from spikeviz.metrics.dropped import dropped

    run, ratio = lab.now, rule(lab.now).ratio
    counted = dropped(run.recording, places(run))[["sent", "kept"]].sum().astype(int)
    spent, unmasked = power(run.recording), power(at_ratio(lab, 0.0).recording)
    named = kind(run.card)
    printed = ", ".join(f"×{share:.2f} at {r:.0%}" for name, r, _, share, _ in TABLE_3 if name == named and r)
    share = f"**×{spent / unmasked:.2f}** of the unmasked run of this input" if unmasked else "without masks 0 as well"
    st.markdown(
        rf"$s'_t = b_t\,s_t,\; P(b_t = 0) = {ratio:.2f}$ lets **{counted['kept']:,} of {counted['sent']:,}** spikes "
        f"pass at {where(run)}. Whole network: $P$ = **{watts(spent)}** α-watts, {share}. "
        f"<small>The paper's {named} on CIFAR-10, fine-tuned: {printed} (Table 3).</small>",
        unsafe_allow_html=True, help=help_for("RSM"),
    )  # fmt: skip


def about(run: Run) -> str:
    """Size and data of the network, what it was fine-tuned under, and what in it is no spike."""
    from spikeviz.data.catalog import find_data
    from spikeviz.models.registry import find_spec

    card, spec = run.card, find_spec(run.card.model)
    said = f"{card.name}: demo size, {spec.params / 1e6:.2f} M parameters, {find_data(card.data).title}; "
    said += f"a QCFS network of accuracy {card.accuracy:.3f} ({card.samples:,} {run.samples}), run as spikes."
    trained = card.measured.get("as_trained")
    if trained:
        said += f" Fine-tuned under {tuned_under(card)}; as QCFS under it {trained['accuracy']:.3f}."
    if kind(card) == "MST" and spec.config.softmax:
        said += (
            " Not everything is spikes: softmax, position bias and residual stream stay real-valued, as in the "
            "published code; Eq. 6 and 7 of the paper show none of them."
        )
    return said


def tuned_under(card: CheckpointCard) -> str:
    """The masks a network was fine-tuned under, in words: `ratio 0.5 at q, k, scores`."""
    (rule,) = (i for i in from_data(card.trained_under) if isinstance(i, MaskSpikes))
    named = [site for site in masked_sites(skeleton(card), (rule,)) if site != CONVOLUTION]
    return f"ratio {rule.ratio:g}" + (f" at {', '.join(named)}" if named else "")


def masks(lab: Lab) -> None:
    """Spikes that pass by place, NSFR, what is dropped of a layer, and the confidence of ten seeds."""
    left, right = st.columns(2, gap="large")
    with left:
        _by_place(lab)
    with right:
        _nsfr(lab)
        _seeds(lab)
    _dropped(lab)


def _by_place(lab: Lab) -> None:
    from spikeviz.figures.spike_masking import kept_bars
    from spikeviz.metrics.dropped import dropped

    table = dropped(lab.now.recording, masking_places(lab.now.opened.model))
    chosen = table["place"].isin(rule(lab.now).at)
    sent, kept = (int(table[chosen][column].sum()) for column in ("sent", "kept"))
    lab.figure(
        kept_bars(table),
        f"Places of the paper, masked or not. At the masked ones {sent:,} spikes are sent and {kept:,} pass"
        + (f": {kept / sent:.1%}" if sent else "") + ". A mask acts on what later layers send as well.",
        SEC, term="RSM",
        alt="Spikes that pass: " + ", ".join(f"{row.place} {row.kept:,.0f} of {row.sent:,.0f}" for row in
                                             table.itertuples()),
    )  # fmt: skip


def _nsfr(lab: Lab) -> None:
    from spikeviz.figures.spikes import nsfr_curve

    masked = rule(lab.now).ratio > 0
    now, unmasked = lab.now.numbers.nsfr.numpy(), at_ratio(lab, 0.0).numbers.nsfr.numpy()
    lab.figure(
        nsfr_curve(now, unmasked if masked else None, ("masked", "unmasked")),
        f"This input, mean {now.mean():.3f}"
        + (f"; without masks {unmasked.mean():.3f}" if masked else "")
        + ". A dropped spike is not counted. Every membrane starts at half of its threshold.",
        alt="NSFR by step: " + ", ".join(f"{v:.3f}" for v in now), term="NSFR",
    )  # fmt: skip


def _dropped(lab: Lab) -> None:
    from spikeviz.figures.render_html import map_tiles, rate_bar, strip
    from spikeviz.figures.spike_masking import dropped_maps
    from spikeviz.metrics.dropped import sent

    layers = [p.name.removesuffix(".spike") for p in places(lab.now) if p.name.endswith(".spike")]
    if not layers:
        st.caption("Only attention scores are masked, which lie on no grid: there is no map of what is dropped.")
        return
    layer = lab.layer if lab.layer in layers else layers[0]
    name = f"{lab.page}_masked_layer"
    st.selectbox(
        "Masked layer", layers, key=shown(name, layer), width=264, on_change=taken,
        args=(name, partial(remember, "layer")), help="The viewer moves to it as well",
    )  # fmt: skip
    recording = lab.now.recording
    fired = sent(recording, f"{layer}.spike")[:, 0].cpu().numpy()
    passes = recording[f"{layer}.spike"].values[:, 0].cpu().numpy()
    maps = dropped_maps(fired, passes, layer)
    notes = [f"mean {values.mean():.3f}" for values in maps.maps]
    lab.figure(
        maps,
        f"This input, mean over channels and t: {int(fired.sum()):,} spikes are sent, {int(passes.sum()):,} pass. A "
        "mask knows no place: every spike has the same chance.",
        SEC, html=strip(map_tiles(maps, notes), 3, 96, 150) + rate_bar(maps.label),
    )  # fmt: skip


def _seeds(lab: Lab) -> None:
    """Ten seeds of this input as one batch."""
    from spikeviz.data.catalog import find_data
    from spikeviz.figures.spike_masking import seeds_bars, seeds_chart

    run = lab.now
    if not rule(run).ratio:
        st.caption("Nothing is dropped at ratio 0, so that every seed gives the same. Move the ratio.")
        return
    shares = _confidence(repr(run.experiment.but(seed=0)), run.card.sha256, run.experiment, run.opened.model,
                         run.shown.batch)  # fmt: skip
    classes, best = find_data(run.card.data).classes, shares.argmax(1)
    most = np.bincount(best).argmax()
    lab.figure(
        seeds_chart(shares, classes),
        f"Seeds 0 to {len(shares) - 1} of this input, one batch: {int((best == most).sum())} of {len(shares)} say "
        f"{classes[most]}. Bar: mean, ± standard deviation; line: from the least to the most.",
        html=seeds_bars(shares, classes, run.shown.label), term="confidence",
    )  # fmt: skip


@st.cache_resource(max_entries=64, show_spinner=False)
def _confidence(key: str, sha256: str, _experiment: Experiment, _model: nn.Module, _batch: Tensor) -> np.ndarray:
    import spikeviz as sv

    recording = sv.simulate(_model, _batch, _experiment.interventions, keep="", seed=SEEDS)
    return recording.output.softmax(-1).cpu().numpy()


def family(card: CheckpointCard, names: dict[str, CheckpointCard]) -> list[CheckpointCard]:
    """The networks of one model and data set: first the one that was not fine-tuned under masks, then its students."""
    alike = [other for other in names.values() if (other.model, other.data) == (card.model, card.data)]
    return sorted(alike, key=lambda other: ("as_trained" in other.measured, other.name))
