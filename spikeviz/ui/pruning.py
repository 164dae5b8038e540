"""What dropping channels saves: parameters, operations, time; and the pruned network as a file."""

from __future__ import annotations

import io
import tempfile
import warnings
import zipfile
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from spikeviz.interventions import MaskChannels
from spikeviz.ui import cards, jobs, runs
from spikeviz.ui.experiment import checkpoints
from spikeviz.ui.masks import RECONSTRUCTION, others
from spikeviz.views.siblings import config_of as config

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.evaluation import Throughput
    from spikeviz.interventions import Intervention
    from spikeviz.models.registry import ModelSpec
    from spikeviz.ui.lab import Lab, Run

ENERGY_SAMPLES, ENERGY_BATCH = 64, 16
SPEED_BATCH, ROUNDS = 32, 15
TABLES = "SDMFormer, sec. 4.3.1 and 4.3.2"


@dataclass(frozen=True, eq=False)
class Network:
    """One of those that are compared: parameters without mask values."""

    name: str
    model: nn.Module
    interventions: tuple[Intervention, ...]
    parameters: int


@st.cache_resource(max_entries=8, show_spinner=False)
def pruned(sha256: str, threshold: float, _model: nn.Module) -> nn.Module:
    """The network without its dropped channels; where a whole site goes, the page says so itself."""
    from spikeviz.convert.prune import prune_channels

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return prune_channels(_model, threshold)


def peer(card: CheckpointCard) -> ModelSpec | None:
    """The Spikformer of the same form."""
    from spikeviz.models.registry import list_models

    own = asdict(config(card))
    del own["kept"]
    return next((spec for spec in list_models("spikformer") if asdict(spec.config) == own), None)


def peer_card(card: CheckpointCard) -> CheckpointCard | None:
    """That Spikformer, trained on the same data."""
    spec = peer(card)
    return next((c for c in checkpoints().values() if spec and c.model == spec.name and c.data == card.data), None)


def networks(run: Run) -> list[Network]:
    """Spikformer where it was trained, and the SDMFormer with all channels, masked, and pruned."""
    own, rest, model, other = run.threshold, others(run), run.opened.model, peer_card(run.card)
    whole, small = (pruned(run.card.sha256, at, model) for at in (0.0, own))
    found = [
        Network("SDMFormer, all channels", whole, rest, _parameters(whole)),
        Network(f"masked at {own:.2f}", model, (MaskChannels(own), *rest), _parameters(whole)),
        Network(f"pruned at {own:.2f}", small, rest, _parameters(small)),
    ]
    if other:
        reference = runs.network(other.name, other.sha256).model
        found.insert(0, Network("Spikformer", reference, rest, _parameters(reference)))
    return found


def _parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def cost(lab: Lab) -> None:
    """Parameters, energy and speed, here and as the paper prints them; the pruned network as a file."""
    left, right = st.columns(2, gap="large")
    with left:
        _parameters_left(lab)
        _download(lab)
        _speed(lab)
    with right:
        _energy(lab)
        _paper(lab)


def _parameters_left(lab: Lab) -> None:
    from spikeviz.figures.channel_masks import parameters_chart, parameters_table
    from spikeviz.metrics import parameters_left
    from spikeviz.metrics.channel_masks import REST

    card, spec = lab.now.card, peer(lab.now.card)
    left = parameters_left(lab.now.opened.model, lab.now.threshold)
    sites = left[left["layer"] != REST]
    share = sites["left"].sum() / sites["parameters"].sum()
    words = f"Of the masked sites {share:.1%} are left. Mask values are not counted: a pruned network has none."
    if spec:
        words += (
            f" Against {spec.name}, the Spikformer of the same form with {spec.params:,} parameters: "
            f"{left['parameters'].sum() / spec.params:.2%} before pruning (LPE is smaller than RPE), "
            f"**{left['left'].sum() / spec.params:.2%}** after."
        )
    lab.figure(
        parameters_chart(left), f"{words} {card.model}, {card.data}.", "SDMFormer, sec. 4.3.1 in kind",
        html=parameters_table(left), term="pruning",
    )  # fmt: skip


def _paper(lab: Lab) -> None:
    """The two tables of the paper, apart from ours."""
    from spikeviz.figures.channel_masks import paper_table

    st.markdown("**The paper's two tables, as printed**")
    st.html(paper_table())
    st.caption(
        "SDMFormer over Spikformer, of the authors' networks on their data; nothing here was computed by spikeviz. The "
        "abstract says that energy is cut by these numbers, the table calls them the ratio: this is the table. Ours, "
        f"above, is {lab.now.card.model} on {lab.now.card.data}: another size, other data. "
        f"{RECONSTRUCTION} *{TABLES}*"
    )


def _energy(lab: Lab) -> None:
    from spikeviz.figures.channel_masks import costs_chart, costs_table
    from spikeviz.metrics import ENERGY

    run, compared = lab.now, networks(lab.now)
    other = peer_card(run.card)
    if other is None:
        spec = peer(run.card)
        name = spec.name if spec else "a Spikformer of the same form"
        st.caption(
            f"No Spikformer to compare energy with: there is no {name} here that was trained on {run.card.data}."
        )
    both = f"{run.card.sha256} {other and other.sha256}"
    where = f"{both} {run.experiment.set(MaskChannels, None)!r}"  # the names of networks say the threshold
    tables = [
        run.numbers.operations.set_index("layer")
        if network.model is run.opened.model
        else _counted(f"{where} {network.name}", network, run.shown.batch)
        for network in compared
    ]
    costs = _costs(compared, tables)
    lab.figure(
        costs_chart(costs, "Estimated energy, this input"),
        f"{ratio(costs)} {_stem(tables[-1])} Masking alone silences channels that are still computed. "
        f"{ENERGY.mac_pj} pJ a MAC, {ENERGY.ac_pj} pJ a SOP ({ENERGY.source}), estimated from operation counts; no "
        "hardware was measured.",
        "SDMFormer, sec. 4.3.2 in kind", html=costs_table(costs, "Spikformer"), term="SOP",
    )  # fmt: skip
    x, _ = runs.test_set(run.card.data)
    total = min(ENERGY_SAMPLES, len(x))

    def work():
        from spikeviz.data.catalog import as_batch

        sums: list[pd.DataFrame] = []
        for start in range(0, total, ENERGY_BATCH):
            end = min(start + ENERGY_BATCH, total)
            new = [_count(network, as_batch(x[start:end])) * (end - start) for network in compared]
            sums = [a + b for a, b in zip(sums, new, strict=True)] if sums else new
            yield end, _costs(compared, [table / end for table in sums])

    seconds = total * len(compared) * run.opened.milliseconds / 1000
    jobs.panel(
        f"energy {both} {run.experiment.but(source='')!r} {total}", f"Energy over {total} {run.samples}",
        total, work, partial(_draw_energy, lab),
        label=f"Run over {total} {run.samples.removeprefix('test ')}",
        note=f"{len(compared)} networks, about {jobs.duration(seconds)}.",
    )  # fmt: skip


def _count(network: Network, batch: Tensor) -> pd.DataFrame:
    """MACs, SOPs and picojoule of a sample, a mean over the batch, by layer."""
    from spikeviz.metrics import OPERANDS, operations
    from spikeviz.simulation import simulate

    recording = simulate(network.model, batch, network.interventions, OPERANDS)
    return operations(network.model, recording).set_index("layer")


@st.cache_resource(max_entries=32, show_spinner=False)
def _counted(key: str, _network: Network, _batch: Tensor) -> pd.DataFrame:
    return _count(_network, _batch)


def _costs(compared: list[Network], tables: list[pd.DataFrame]) -> pd.DataFrame:
    """One row a network: network, parameters, MACs, SOPs, picojoule."""
    import pandas as pd

    rows = [
        {"network": network.name, "parameters": network.parameters, **table.sum().to_dict()}
        for network, table in zip(compared, tables, strict=True)
    ]
    return pd.DataFrame(rows)


def ratio(costs: pd.DataFrame) -> str:
    """Energy of the pruned network over that of Spikformer, or else over that with all channels, in words."""
    first, last = costs.iloc[0], costs.iloc[-1]
    return (
        f"The network {last['network']} takes **{last['picojoule'] / first['picojoule']:.2%}** of the energy of "
        f"{first['network']}."
    )


def _stem(operations: pd.DataFrame) -> str:
    """How much of a network's energy no mask touches."""
    share = operations["picojoule"].filter(regex="^stem").sum() / max(operations["picojoule"].sum(), 1e-12)
    return f"{share:.0%} of it is the stem's, which no mask touches."


def _draw_energy(lab: Lab, costs: pd.DataFrame, job: jobs.Job) -> None:
    from spikeviz.figures.channel_masks import costs_chart, costs_table

    cards.figure(
        costs_chart(costs, f"Estimated energy, mean of {job.done} {lab.now.samples}"),
        f"{ratio(costs)} Mean over the first {job.done} {lab.now.samples} of {lab.now.card.data}; estimated, as above.",
        "SDMFormer, sec. 4.3.2 in kind", page=f"{lab.page}_energy", html=costs_table(costs, "Spikformer"),
        files=job.over,
    )  # fmt: skip


def _speed(lab: Lab) -> None:
    run, compared = lab.now, networks(lab.now)[-2:]
    x, _ = runs.test_set(run.card.data)

    def work():
        from spikeviz.data.catalog import as_batch
        from spikeviz.evaluation import throughput
        from spikeviz.runtime import describe

        device = describe(next(run.opened.model.parameters()).device)
        pairs = [(network.model, network.interventions) for network in compared]
        for so_far in throughput(pairs, as_batch(x[:SPEED_BATCH]), ROUNDS):
            yield so_far.rounds, (so_far, device)

    jobs.panel(
        f"speed {run.card.sha256} {run.experiment.but(source='')!r}", "Measured speed", ROUNDS, work,
        partial(_draw_speed, lab, [network.name for network in compared]), label="Measure",
        note=f"Masked and pruned in turns: {ROUNDS} rounds of {SPEED_BATCH} {run.samples}, after one not counted.",
    )  # fmt: skip


def _draw_speed(lab: Lab, names: list[str], value: tuple[Throughput, str], job: jobs.Job) -> None:
    from spikeviz.figures.channel_masks import speed_chart

    found, device = value
    low, middle, high = found.speedup(1)
    cards.figure(
        speed_chart(names, found),
        f"The pruned network runs **{middle:.2f} times** as fast as the masked one (quartiles of the rounds {low:.2f} "
        f"to {high:.2f}): median of {found.rounds} rounds, batches of {found.batch}, {device}. It is the speed of this "
        "machine at this moment, with whatever else it does. The paper prints 196.20 img/s for SDMFormer-2-256, on its "
        "machine.",
        "SDMFormer, sec. 4.4", page=f"{lab.page}_speed", files=job.over,
        alt=f"Samples a second: {names[0]} {found.rate(0):.0f}, {names[1]} {found.rate(1):.0f}",
    )  # fmt: skip


def _download(lab: Lab) -> None:
    run = lab.now
    name, own = pruned_name(run.card, run.threshold), run.threshold
    st.download_button(
        "Pruned checkpoint (.zip)", data=lambda: archive(run.card, pruned(run.card.sha256, own, run.opened.model), own),
        file_name=f"{name}.zip", mime="application/zip", on_click="ignore", key=f"{lab.page}_zip",
    )  # fmt: skip
    st.caption(
        f"{name}.safetensors and its card. Put both into the folder that "
        '`python -c "from spikeviz.paths import user_checkpoints; print(user_checkpoints())"` names: Spike maps then '
        f"offers it, and `sv.load` reads it. `spikeviz evaluate {name}` measures its accuracy, which the card leaves "
        "open."
    )


def pruned_name(card: CheckpointCard, threshold: float) -> str:
    """Of a checkpoint that is pruned here; the threshold is part of it, so that it hides no other."""
    return f"{card.name}-pruned-{threshold:g}"


def archive(card: CheckpointCard, model: nn.Module, threshold: float) -> bytes:
    """A pruned network and its card as a zip of two files, as `spikeviz.load` reads them."""
    from spikeviz.artifacts.checkpoints import save

    name, stream = pruned_name(card, threshold), io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as file:
        weights = Path(folder) / f"{name}.safetensors"
        origin = {"pruned from": card.name, "its sha256": card.sha256, "threshold": threshold}
        written = replace(
            card, name=name, accuracy=None, device="", command="", sha256=save(model, weights),
            training=card.training | origin, measured={},
        )  # fmt: skip
        written.write(weights.with_suffix(".json"))
        for path in sorted(Path(folder).iterdir()):
            file.write(path, path.name)
    return stream.getvalue()
