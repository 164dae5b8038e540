"""The state of a page, and its form in an address: everything a view depends on, whole.

`read` and `write` are pure: the app keeps the state in its session, the command line in a variable.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from spikeviz.views import inputs
from spikeviz.views.experiment import Experiment
from spikeviz.views.inputs import Uploads
from spikeviz.views.page import Networks, Page
from spikeviz.views.runs import network
from spikeviz.views.settings import MOST_SEEDS, Setting, moved, whole

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard

MEAN, ALL = -1, -2  # over channels: their mean, a sheet of all of them
SIDES = {"A": "A", "B": "B", "diff": "A−B"}  # in the address, on the page
CHARTS = "charts"  # the look that says which side the charts of one run show
PLAIN = "plain"  # part of every address that is read by the app alone: without its own sliders
MOST_RULES = 8  # interventions of one kind in an address


def neuron_of(checkpoint: str, layer: str) -> str:
    """The name of the look that keeps which neuron of a network's layer is looked at."""
    return f"neuron {checkpoint} {layer}"


@dataclass(frozen=True)
class State:
    """What a page is set to.

    Attributes:
        experiment: what is computed.
        compared: what it is compared with (A), if something is.
        looks: what is looked at and not what is computed (layer, step, tab, ...), by name.
    """

    experiment: Experiment
    compared: Experiment | None = None
    looks: Mapping[str, Any] = field(default_factory=dict)

    def but(self, **changes: Any) -> State:
        """The same with some fields changed."""
        return replace(self, **changes)

    def look(self, name: str, default: Any = None) -> Any:
        """What is kept of a look."""
        return self.looks.get(name, default)

    def looking(self, name: str, value: Any) -> State:
        """With a look changed."""
        return self.but(looks={**self.looks, name: value})


@dataclass(frozen=True)
class Parameter:
    """One part of an address.

    Attributes:
        name: in the address.
        read: the state with what a text says (None: the default); a ValueError says what would have worked.
        write: the present value as text; None for the default, which is left out.
        always: whether `read` is asked even where an address that is not complete leaves it out.
    """

    name: str
    read: Callable[[State, str | None], State]
    write: Callable[[State], str | None]
    always: bool = False


def read(
    parameters: Iterable[Parameter], state: State, query: Mapping[str, str], complete: bool = True
) -> tuple[State, list[str]]:
    """The state with what an address says, and a sentence for each part that does not work.

    What the address leaves out gets its default if it is `complete`, and else stays as it is.
    """
    notices = []
    for parameter in parameters:
        text = query.get(parameter.name)
        if text is None and not complete and not parameter.always:
            continue
        try:
            state = parameter.read(state, text)
        except ValueError as error:
            notices.append(f"The address says {parameter.name}={str(text)[:40]}, which does not work here: {error}")
            state = parameter.read(state, None)
    return state, notices


def unknown(parameters: Iterable[Parameter], query: Mapping[str, str]) -> list[str]:
    """A sentence that names the parts of an address that no parameter reads; none where all are read."""
    names = [parameter.name for parameter in parameters]
    foreign = [name[:40] for name in query if name not in (*names, PLAIN)]
    if not foreign:
        return []
    there = ", ".join(name for name in names if not name.endswith("_"))  # such a one reads several others
    return [f"The address says {', '.join(foreign)}, which nothing here reads; there are {there}."]


def write(parameters: Iterable[Parameter], state: State) -> dict[str, str]:
    """The address of a state, without what is at its default."""
    return {p.name: text for p in parameters if (text := p.write(state)) is not None}


def as_text(query: Mapping[str, str]) -> str:
    """The part of a URL behind its question mark."""
    return urlencode(query, safe=":,")


def as_query(url: str) -> dict[str, str]:
    """What stands behind the question mark of a URL, or of a part of one."""
    return dict(parse_qsl(url.rpartition("?")[2], keep_blank_values=True))


def checkpoint_parameter(networks: Networks) -> Parameter:
    """`checkpoint=...`: another network starts as it was trained."""

    def read(state: State, text: str | None) -> State:
        names = networks.names()
        if text is not None and text not in names:
            why = f"{text} {networks.lacks}; " if text in all_checkpoints() else ""
            raise ValueError(f"{why}there are {', '.join(names)}.")
        name = text or networks.default()
        if state.experiment.checkpoint == name:
            return state
        return state.but(experiment=state.experiment.but(checkpoint=name, interventions=()))

    return Parameter("checkpoint", read, lambda state: state.experiment.checkpoint)


def all_checkpoints() -> dict[str, CheckpointCard]:
    """Every card by name."""
    from spikeviz.artifacts.cards import list_checkpoints

    return {card.name: card for card in list_checkpoints()}


def parameters(page: Page, state: State, uploads: Uploads, query: Mapping[str, str]) -> list[Parameter]:
    """Every part of a page's address but the network, which the state has: `query` may ask for more interventions of
    one kind than the state has."""
    from spikeviz.views.layers.looks import layer_parameters  # made of what is defined here

    card = all_checkpoints()[state.experiment.checkpoint]
    opened = network(card) if page.first else None
    model, layers = (opened.model, opened.layers) if opened else (None, ())
    rules = with_rules(page, state.experiment, model, query)
    return [
        *_rules_parameters(page, model, query),
        _input_parameter(card, uploads),
        _seed_parameter(),
        *(_setting_parameter(page, setting) for setting in (page.settings(model, rules) if page.first else ())),
        *([_compared_parameter(page, uploads)] if page.first else []),
        *(layer_parameters(page, layers) if page.first else []),
        *([_tab_parameter(page)] if page.tabs else []),
        *page.parameters(page.key),
    ]


def with_rules(page: Page, experiment: Experiment, model: Any, query: Mapping[str, str]) -> Experiment:
    """The experiment with as many interventions of the page's repeating kind as an address has numbers for: with
    `rsm_ratio2=0.75` there are two, without any number one at most. An empty address changes nothing."""
    if page.another is None or not query:
        return experiment
    rule = page.another(model)
    kind, numbers = type(rule), _numbers(page, model, query).values()
    wanted = max((number for number in numbers if number <= MOST_RULES), default=1)
    for number in range(len(experiment.of_kind(kind)) - 1, wanted - 1, -1):
        experiment = experiment.drop(kind, number)
    for number in range(len(experiment.of_kind(kind)), wanted if wanted > 1 else 0):
        idle = next(s.untouched for s in page.settings(model, experiment) if s.kind is kind)
        experiment = experiment.set(rule if number else idle, number)
    return experiment


def _numbers(page: Page, model: Any, query: Mapping[str, str]) -> dict[str, int]:
    """The parts of an address that set an intervention of the page's repeating kind, and its number, from 1."""
    kind = type(page.another(model)) if page.another else None
    names = "|".join({s.name for s in page.settings(model, Experiment("")) if s.kind is kind})
    found = {name: re.fullmatch(rf"{page.key}_(?:{names})([2-9]|[1-9][0-9]{{1,3}})?", name) for name in query}
    return {name: int(match[1] or 1) for name, match in found.items() if match}


def _rules_parameters(page: Page, model: Any, query: Mapping[str, str]) -> list[Parameter]:
    """Make room for the further interventions that an address has, and take out those that it has not; they have no
    text of their own. An address that says nothing of them leaves them as they are, unless it is complete."""
    if page.another is None:
        return []

    def read(state: State, _: str | None) -> State:
        return state.but(experiment=with_rules(page, state.experiment, model, query))

    def refuse(state: State, text: str | None) -> State:
        if text is not None:
            raise ValueError(f"there are at most {MOST_RULES} of them.")
        return state

    numbers = _numbers(page, model, query)
    beyond = [Parameter(name, refuse, lambda _: None) for name, number in numbers.items() if number > MOST_RULES]
    return [Parameter(f"{page.key}_", read, lambda _: None, always=bool(numbers)), *beyond]


def _input_parameter(card: CheckpointCard, uploads: Uploads) -> Parameter:
    """`input=12`: the number of a test sample; `input=picture-cat`: a picture to try; `input=upload-...` is of this
    session only."""

    def read(state: State, text: str | None) -> State:
        source = inputs.source(text, card, uploads) if text else inputs.default_source(card)
        return state.but(experiment=state.experiment.but(source=source))

    return Parameter("input", read, lambda state: inputs.in_address(state.experiment))


def _seed_parameter() -> Parameter:
    """`seed=...` of random edits."""

    def read(state: State, text: str | None) -> State:
        return state.but(experiment=state.experiment.but(seed=whole(text or "0", "a seed", 0, MOST_SEEDS)))

    return Parameter("seed", read, lambda state: str(state.experiment.seed) if state.experiment.seed else None)


def _setting_parameter(page: Page, setting: Setting) -> Parameter:
    """`maps_T=3`."""

    def read(state: State, text: str | None) -> State:
        now = state.experiment
        return state.but(experiment=setting.put(now, setting.trained) if text is None else setting.read(now, text))

    def write(state: State) -> str | None:
        value = setting.value(state.experiment)
        return None if value == setting.trained and not _numbered(setting) else setting.text(value)

    return Parameter(f"{page.key}_{setting.name}", read, write)


def _numbered(setting: Setting) -> bool:
    """Whether a setting says by its name that there is a further intervention: it is always written."""
    return setting.number > 0 and setting.form == "slider"


def _compared_parameter(page: Page, uploads: Uploads) -> Parameter:
    """`maps_A=input:12,T:2`: the other setting, written like an address of its own; `checkpoint:` if it is another
    network's."""

    def read(state: State, text: str | None) -> State:
        if text is None:
            return state.but(compared=None)
        pairs = dict(pair.partition(":")[::2] for pair in text.split(","))
        now, cards = state.experiment, all_checkpoints()
        checkpoint = pairs.get("checkpoint", now.checkpoint)
        if checkpoint not in cards:
            raise ValueError(f"A is of no network there is; there are {', '.join(cards)}.")
        model = network(cards[checkpoint]).model
        query = {f"{page.key}_{key}": value for key, value in pairs.items()}
        found = with_rules(page, Experiment(checkpoint), model, query)
        settings = {setting.name: setting for setting in page.settings(model, found)}
        for key, value in pairs.items():
            if key == "seed":
                found = found.but(seed=whole(value, "a seed", 0, MOST_SEEDS))
            elif key in settings:
                found = settings[key].read(found, value)
            elif key not in ("checkpoint", "input"):
                raise ValueError(f"A is made of checkpoint, input, seed, {', '.join(settings)}, such as input:12,T:2.")
        picture = pairs.get("input", inputs.in_address(now))
        return state.but(compared=found.but(source=inputs.source(picture, cards[checkpoint], uploads)))

    def write(state: State) -> str | None:
        kept, cards = state.compared, all_checkpoints()
        if kept is None or kept.checkpoint not in cards:
            return None
        parts = [f"checkpoint:{kept.checkpoint}"] if kept.checkpoint != state.experiment.checkpoint else []
        parts += [f"input:{inputs.in_address(kept)}"]
        parts += [f"seed:{kept.seed}"] if kept.seed else []
        settings = page.settings(network(cards[kept.checkpoint]).model, kept)
        shown = [s for s in settings if _numbered(s) or s in moved(settings, kept)]
        return ",".join(parts + [f"{s.name}:{s.text(s.value(kept))}" for s in shown])

    return Parameter(f"{page.key}_A", read, write)


def _tab_parameter(page: Page) -> Parameter:
    """`sfa_part=error`: which figures of a page are looked at."""
    name, first = f"{page.key}_part", next(iter(page.tabs))

    def read(state: State, text: str | None) -> State:
        if text not in (None, *page.tabs):
            raise ValueError(f"there are {', '.join(page.tabs)}.")
        return state.looking(name, text or first)

    def write(state: State) -> str | None:
        tab = state.look(name, first)
        return None if tab == first else tab

    return Parameter(name, read, write)
