"""A view as Python: lines that give its numbers with the library alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from spikeviz.views import address
from spikeviz.views.address import State
from spikeviz.views.inputs import PICTURE, is_picture, short
from spikeviz.views.scene import Scene

if TYPE_CHECKING:
    from spikeviz.views.runs import Run


def python(scene: Scene) -> str:
    """Lines that give the numbers of a scene; an input that was brought is read from `input.npy`."""
    lines = ["import spikeviz as sv", ""]
    if any(run.experiment.brought for _, run in scene.runs):
        lines = ["import numpy as np", "import torch", "", *lines]
    if any(is_picture(run.experiment.source, run.card) for _, run in scene.runs):
        lines = [*lines[:-1], "from spikeviz.data.pictures import read_picture", ""]
    loaded = ""
    for name, run in scene.runs:
        lines += _simulation(run, "recording" if name == "B" else "compared", run.experiment.checkpoint != loaded)
        loaded = run.experiment.checkpoint
    lines += [
        *_answer(scene.now),
        "nsfr = sv.metrics.nsfr(recording)",
        "rates = sv.metrics.firing_rates(recording)",
        "operations = sv.metrics.operations(model, recording)",
        *(_layer(scene) if scene.layer else []),
    ]
    return "\n".join([*lines, *_integers(scene.now), *_masks(scene.now), *_figures(scene)]) + "\n"


def _layer(scene: Scene) -> list[str]:
    """The spikes of the layer that is looked at, and the membrane of one neuron."""
    mean = f"; {scene.now.packed.mean}: maps.mean(0)" if scene.now.packed.mean else ""
    maps = f'maps = sv.metrics.spike_maps(recording["{scene.layer}.spike"])  # [T x D, H, W]{mean}'
    other = f'compared_maps = sv.metrics.spike_maps(compared["{scene.layer_of_a}.spike"])  # A'
    trace = f'trace = sv.metrics.membrane_trace(recording, "{scene.layer}", {scene.neuron})  # channel, row, column'
    return [maps, *([other] if scene.compared else []), trace]


def _simulation(run: Run, name: str, load: bool) -> list[str]:
    from spikeviz.nn.qcfs import ConvertedIF

    now = run.experiment
    loaded = f'sv.load("{now.checkpoint}")'
    if any(isinstance(module, ConvertedIF) for module in run.model.modules()):
        loaded = f"sv.to_spiking({loaded}, {run.model.time_steps})"
    lines = [f"model = {loaded}"] if load else []
    if is_picture(now.source, run.card):
        lines += [f'x = read_picture("{now.source.removeprefix(PICTURE)}", "{run.card.data}").pixels[None]']
    elif now.index is None:
        lines += ['x = torch.from_numpy(np.load("input.npy"))[None]  # the input of this session: see Share']
    else:
        lines += [f'x, y = sv.load_data("{run.card.data}", "test")', f"x = x[{now.index}:{now.index + 1}]"]
    if run.shown.pixels.ndim == 4:
        lines += ["x = x.transpose(0, 1)  # event frames: [T, B, 2, H, W]"]
    return [*lines, f"{name} = sv.simulate(model, x, ({_tuple(now.interventions)}), seed={now.seed})", ""]


def _tuple(interventions: tuple) -> str:
    return "".join(f"sv.interventions.{i}, " for i in interventions).rstrip()


def _answer(run: Run) -> list[str]:
    """What the network answers: classes, or a picture."""
    if run.card.classifies:
        return ["confidence = recording.output[0].softmax(0)"]
    return [
        'made, mask = recording.output, recording["mask"].values  # mask: True = visible',
        *(["errors = sv.metrics.reconstruction_errors(x, recording)  # over hidden pixels"] if _hides(run) else []),
        'tokens = recording["decoder.embed.input"].values[recording["patches"].values.flatten(1)]  # visible ones',
        *(["rank = sv.metrics.effective_rank(tokens)"] if bool(run.recording["patches"].values.any()) else []),
    ]


def _hides(run: Run) -> bool:
    """Whether there are hidden pixels to be wrong about, and a reconstruction that owes nothing to the original."""
    own = run.model.config.target != "patches"
    return own and not bool(run.recording["patches"].values.all())


def _integers(run: Run) -> list[str]:
    from spikeviz.metrics.approximation import integer_layers

    if not run.card.classifies or not integer_layers(run.model):
        return []
    setting = f"({_tuple(run.experiment.interventions)}), seed={run.experiment.seed}"
    return [
        "errors = sv.metrics.approximation_error(model, sv.simulate(model, x, " + setting + "))",
        f"equality = sv.metrics.spike_driven_equality(model, x, {setting})  # integers against spikes",
    ]


def _masks(run: Run) -> list[str]:
    from spikeviz.interventions import MaskChannels

    if not MaskChannels.possible(run.model):
        return []
    (rule,) = run.experiment.of_kind(MaskChannels) or (MaskChannels(),)
    own = f"(model, {rule.threshold:g})"
    return [
        f"masked = sv.metrics.mask_rates{own}",
        f"left = sv.metrics.parameters_left{own}",
        f"smaller = sv.prune_channels{own}",
    ]


def _figures(scene: Scene) -> list[str]:
    """The page's own figures, of a scene that `sv.view` can make: one input that stays, nothing compared with."""
    now = scene.now.experiment
    if now.brought or scene.state.compared is not None:
        return []
    page, tab = scene.page, scene.look(f"{scene.page.key}_part")
    rules = f"({_tuple(now.interventions)})"
    chosen = {"tab": tab} if tab and tab in page.tabs else {}
    chosen |= ({"layer": scene.layer} if scene.layer else {}) | _own_looks(scene)
    more = "".join(f", {name}={_literal(value)}" for name, value in chosen.items())
    shown = f'"{short(now)}"' if now.index is None else now.index
    about = f'"{page.file}", "{now.checkpoint}", {shown}, {rules}, {now.seed}{more}'
    return ["", f"figures = sv.view({about})  # as the page shows them"]


def _literal(value: Any) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _own_looks(scene: Scene) -> dict[str, Any]:
    """What the page's own part of an address says, where that is not the default."""
    known, empty = scene.page.parameters(scene.page.key), State(scene.state.experiment)
    default, _ = address.read(known, empty, {})
    said, _ = address.read(known, empty, address.write(known, scene.state))
    return {name: value for name, value in said.looks.items() if value != default.look(name)}


def array(run: Run) -> bytes:
    """The input as `.npy`: an image `[C, H, W]`, or event frames `[T, 2, H, W]`."""
    import io

    import numpy as np

    stream = io.BytesIO()
    np.save(stream, run.shown.pixels.numpy(), allow_pickle=False)
    return stream.getvalue()
