"""Where a figure is from: what every file that leaves carries, and what it is called."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

from spikeviz.views import address, inputs
from spikeviz.views.networks.words import full_name, measured_as, result
from spikeviz.views.sharing.picture_link import carrying, stays

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard
    from spikeviz.views.experiment import Experiment
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene
    from spikeviz.views.view import Figure, Over

LONGEST = 120  # letters of a file's name
# Parts of an address that the name of a file has already, or its figure's title says.
NAMED = ("checkpoint", "input", "layer", "step", "channel", "side", "neuron", "layerA", "neuronA", "part")


@dataclass(frozen=True)
class Provenance:
    """Where the figures of a scene are from, in words.

    Attributes:
        page: its title.
        network: its checkpoint's name, and what it is in words.
        sha256: of the weights.
        results: of the network over its whole test set: "accuracy", or what there is of an autoencoder, by name.
        input: data set, split and number, or that it is one's own, and the hash of its pixels; of a figure over many
            samples these.
        settings: the status line.
        compared: the same of A; "" without one.
        version: of spikeviz.
        command: that makes the figures again; "" of an input that stays in its session.
        link: the address of the view.
        parts: what the names of its files are made of, beside the figure: page, then network, input and settings.
        a: the same of figures of what is compared with (A), where there is one; its own `compared` is B.
    """

    page: str
    network: str
    sha256: str
    results: Mapping[str, str]
    input: str
    settings: str
    compared: str
    version: str
    command: str
    link: str
    parts: tuple[str, ...]
    a: Provenance | None = None

    @property
    def facts(self) -> dict[str, str]:
        """Everything by name, in the order in which it is listed."""
        found = {
            "page": self.page,
            "network": self.network,
            "sha256": self.sha256,
            **self.results,
            "input": self.input,
            "settings": self.settings,
            f"compared with ({'A' if self.a else 'B'})": self.compared,
            "spikeviz": self.version,
            "command": self.command,
            "link": self.link,
        }
        return {name: text for name, text in found.items() if text}

    @property
    def caption(self) -> dict[str, str]:
        """What is printed below a figure where that is asked for."""
        names = ("network", "input", "settings", "compared with (A)", "compared with (B)")
        return {name: text for name, text in self.facts.items() if name in names}

    def on(self, figure: Figure) -> Figure:
        """The figure with where it is from: of A's its network and settings, of one over many samples what it is of."""
        own = self.a if self.a is not None and figure.title.endswith(", A") else self
        return replace(figure, about=own._over(figure.over) if figure.over else own)

    def _over(self, over: Over) -> Provenance:
        cards = [address.all_checkpoints()[name] for name in over.networks]
        page, network, _, *moved = self.parts
        return replace(
            self,
            network="; ".join(f"{card.name}: {full_name(card)}" for card in cards) or self.network,
            sha256="; ".join(card.sha256 for card in cards) or self.sha256,
            results=_results(*cards) if cards else self.results,
            input=over.samples,
            settings=over.settings or self.settings,
            compared="",
            parts=(page, _letters("-and-".join(over.networks)) or network, *moved),
        )

    def studied(self) -> Provenance:
        """Of figures that the command makes with `--studies` alone."""
        return replace(self, command=self.command and f"{self.command} --studies", a=self.a and self.a.studied())

    def of_report(self) -> Provenance:
        """Of a report, which another command makes."""
        command = self.command.replace("spikeviz figures", "spikeviz report", 1)
        return replace(self, command=command.replace("--out figures", "--out report.html", 1))

    def file(self, figure: str, ending: str) -> str:
        """The name of a file: other settings give another name. What is too long ends with a hash of the whole."""
        page, *others = self.parts
        whole = "_".join(["spikeviz", page, figure, *others])
        room = LONGEST - len(ending) - 1
        if len(whole) > room:
            whole = f"{whole[: room - 9]}_{sha256(whole.encode()).hexdigest()[:8]}"
        return f"{whole}.{ending}"


def provenance(scene: Scene, server: str = "", tab: str | None = None) -> Provenance:
    """Where the figures of a scene are from.

    Args:
        server: the address of the app; without one the link begins with the page.
        tab: whose figures they are, if not that of the scene.
    """
    from spikeviz import __version__

    page, card = scene.page, scene.card
    query = query_of_scene(scene, tab)
    carried = carrying(query, scene.uploads)
    text = address.as_text(carried)
    url, compared = shlex.quote(f"?{text}"), scene.compared
    about = Provenance(
        page=page.title,
        network=f"{card.name}: {full_name(card)}",
        sha256=card.sha256,
        results=_results(card),
        input=_input(scene.state.experiment, card, lambda: scene.now),
        settings=scene.status[2],
        compared=_in_a_line(compared) if compared else "",
        version=__version__,
        command=f"spikeviz figures {page.file} --url {url} --out figures" if not stays(carried) else "",
        link=f"{server}/{'' if page.file == 'overview' else page.file}?{text}".removeprefix("/"),
        parts=_parts(scene, query),
    )
    if compared is None:
        return about
    of_a = compared.card
    others = replace(
        about,
        network=f"{of_a.name}: {full_name(of_a)}",
        sha256=of_a.sha256,
        results=_results(of_a),
        input=_input(compared.experiment, of_a, lambda: compared),
        settings=compared.status_text,
        compared=_in_a_line(scene.now),
        parts=(about.parts[0], _letters(of_a.name), _letters(compared.status_text), "beside", *about.parts[1:]),
    )
    return replace(about, a=others)


def _results(*cards: CheckpointCard) -> Mapping[str, str]:
    """What networks reach on their whole test sets: an accuracy is never called an error, nor an error an accuracy."""
    found = dict[str, list[str]]()
    for card in cards:
        named = f"{card.name} " if len(cards) > 1 else ""
        reached = card.facts.get("accuracy") or result(card)
        text = f"{named}{reached}, {card.samples:,} test samples, {measured_as(card)}"
        found.setdefault("accuracy" if card.classifies else "reconstruction", []).append(text)
    return {name: "; ".join(texts) for name, texts in found.items()}


def _in_a_line(run: Run) -> str:
    return f"{full_name(run.card)}, {run.shown.title}, {run.status_text}"


def query_of_scene(scene: Scene, tab: str | None = None) -> dict[str, str]:
    """The parts of an address that give the scene again, of a tab of its page if not that of its state."""
    page, state = scene.page, scene.state
    if tab is not None:
        state = state.looking(f"{page.key}_part", tab)
    parameters = address.parameters(page, state, scene.uploads, {})
    return address.write([address.checkpoint_parameter(page.networks), *parameters], state)


def _input(experiment: Experiment, card: CheckpointCard, run: Callable[[], Run]) -> str:
    """Which input it is; of one that was brought the hash of its pixels. `run` is asked for the title of that alone."""
    data = inputs.data_of(card)
    if experiment.index is not None:
        return f"test {data.sample} {experiment.index} of {data.title} ({card.data})"
    kind = "an input of one's own" if experiment.brought else "a picture to try"
    return f"{run().shown.title}, {kind} ({inputs.short(experiment)})"


def _parts(scene: Scene, query: dict[str, str]) -> tuple[str, ...]:
    """What names a scene beside the figure: the page, the network, the input and each setting that was moved."""
    page, experiment = scene.page, scene.state.experiment
    split = f"test-{experiment.index}" if experiment.index is not None else inputs.short(experiment)
    own = {name.removeprefix(f"{page.key}_"): text for name, text in query.items()}
    moved = [f"{name}-{text}" for name, text in own.items() if name not in NAMED]
    return tuple(_letters(part) for part in (page.file, experiment.checkpoint, split, *moved))


def _letters(text: str) -> str:
    """Letters, digits, points and dashes."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")
