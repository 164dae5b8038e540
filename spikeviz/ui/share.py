"""The view of a page as a link, as Python, as one HTML file."""

from __future__ import annotations

import io
from urllib.parse import urlencode, urlsplit, urlunsplit

import streamlit as st

from spikeviz.ui.lab import Lab, Run


def share(lab: Lab) -> None:
    """The view of a page as a link, as Python, and as a report."""
    with st.popover("Share", key=f"{lab.page}_share", help="Link, Python, report"):
        st.markdown("**Link** to this view")
        st.code(link(lab), language=None, wrap_lines=True)
        st.markdown("**Python** that makes this view")
        st.code(python(lab), language="python")
        if lab.now.experiment.index is None:
            st.download_button(
                "input.npy", data=lambda: array(lab.now), file_name="input.npy", on_click="ignore",
                key=f"{lab.page}_input_file", help="The input as the network gets it; the Python above reads it",
            )  # fmt: skip
        st.download_button(
            "Report of this page (HTML)", data=lambda: page_report(lab), file_name=f"spikeviz-{lab.page}.html",
            mime="text/html", on_click="ignore", key=f"{lab.page}_report",
        )  # fmt: skip


def link(lab: Lab) -> str:
    """The address of the view, whole: it gives the same picture and the same numbers elsewhere."""
    here = urlsplit(st.context.url or "http://127.0.0.1:8501")
    wanted = {p.name: text for p in lab.parameters if (text := p.write()) is not None}
    return urlunsplit((here.scheme, here.netloc, here.path, urlencode(wanted, safe=":,"), ""))


def python(lab: Lab) -> str:
    """Lines that give the numbers of the view with the library alone."""
    lines = ["import spikeviz as sv", ""]
    if any(run.experiment.index is None for _, run in lab.runs):
        lines = ["import numpy as np", "import torch", "", *lines]
    loaded = ""
    for name, run in lab.runs:
        lines += _simulation(run, "recording" if name == "B" else "held", run.experiment.checkpoint != loaded)
        loaded = run.experiment.checkpoint
    lines += [
        *_answer(lab.now),
        "nsfr = sv.metrics.nsfr(recording)",
        "rates = sv.metrics.firing_rates(recording)",
        "operations = sv.metrics.operations(model, recording)",
        f'maps = sv.metrics.spike_maps(recording["{lab.layer}.spike"])  # [T, H, W]; mean over t: maps.mean(0)',
    ]
    if lab.held:
        lines += [f'held_maps = sv.metrics.spike_maps(held["{lab.layer}.spike"])  # A']
    lines += [f'trace = sv.metrics.membrane_trace(recording, "{lab.layer}", {lab.neuron})  # channel, row, column']
    return "\n".join([*lines, *_integers(lab.now), *_masks(lab.now)]) + "\n"


def _answer(run: Run) -> list[str]:
    """What the network says: classes, or a picture."""
    if run.card.classifies:
        return ["confidence = recording.output[0].softmax(0)"]
    from spikeviz.ui.reconstruction import python

    return python(run)


def _integers(run: Run) -> list[str]:
    from spikeviz.metrics.approximation import integer_layers

    if not run.card.classifies or not integer_layers(run.opened.model):
        return []
    setting = f"({_tuple(run.experiment.interventions)}), seed={run.experiment.seed}"
    return [
        "errors = sv.metrics.approximation_error(model, sv.simulate(model, x, " + setting + "))",
        f"equality = sv.metrics.spike_driven_equality(model, x, {setting})  # integers against spikes",
    ]


def _masks(run: Run) -> list[str]:
    from spikeviz.nn.channel_masks import find_masks

    if not find_masks(run.opened.model):
        return []
    own = f"(model, {run.threshold:g})"
    return [
        f"masked = sv.metrics.mask_rates{own}",
        f"left = sv.metrics.parameters_left{own}",
        f"smaller = sv.prune_channels{own}",
    ]


def _tuple(interventions: tuple) -> str:
    return "".join(f"sv.interventions.{i}, " for i in interventions).rstrip()


def _simulation(run: Run, name: str, load: bool) -> list[str]:
    now = run.experiment
    loaded = f'sv.load("{now.checkpoint}")'
    if run.opened.qcfs is not None:
        loaded = f"sv.to_spiking({loaded}, {run.opened.model.time_steps})"
    lines = [f"model = {loaded}"] if load else []
    if now.index is None:
        lines += ['x = torch.from_numpy(np.load("input.npy"))[None]  # the input of this session: see Share']
    else:
        lines += [f'x, y = sv.load_data("{run.card.data}", "test")', f"x = x[{now.index}:{now.index + 1}]"]
    if run.shown.pixels.ndim == 4:
        lines += ["x = x.transpose(0, 1)  # event frames: [T, B, 2, H, W]"]
    return [*lines, f"{name} = sv.simulate(model, x, ({_tuple(now.interventions)}), seed={now.seed})", ""]


def array(run: Run) -> bytes:
    """The input as `.npy`: an image `[C, H, W]`, or event frames `[T, 2, H, W]`."""
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, run.shown.pixels.numpy(), allow_pickle=False)
    return stream.getvalue()


def page_report(lab: Lab) -> str:
    """The page as one HTML file."""
    from spikeviz.figures.report import report

    card, recording = lab.now.card, lab.now.recording
    facts = {
        "network": f"{card.name} ({card.model}), trained with seed {card.seed}",
        "input": f"{lab.now.shown.title} of {card.data}"
        if lab.now.shown.label is not None
        else "an input of one's own",
        "settings": lab.now.said,
        "computed in": f"{recording.milliseconds:.0f} ms on {recording.device}",
        "address": link(lab),
    }
    if card.accuracy is not None:
        facts["accuracy"] = f"{card.accuracy:.4f} on {card.samples:,} test samples (`{card.command}`, {card.device})"
    if lab.held:
        facts["compared with (A)"] = f"{lab.held.shown.title}, {lab.held.said}"
    notes = ["Weights as trained: an intervention is no retraining.", "Energy is estimated from operation counts."]
    return report(f"spikeviz · {lab.title}", "", facts, lab.exhibits, python(lab), notes)
