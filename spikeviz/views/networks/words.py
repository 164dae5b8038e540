"""What is said of a network where a person reads: its name in words, its line in a list, its accuracy.

Everything is computed from cards, which need no torch: a list of networks is there before anything heavy is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard

FAMILIES = {
    "spikformer": "Spikformer",
    "spikformer-v2": "Spikformer V2",
    "e-spikeformer": "E-SpikeFormer",
    "sdmformer": "SpikingDynamicMaskFormer",
    "mst": "Masked Spiking Transformer",
}
FORMS = {"resnet18": "ResNet18", "vgg16": "VGG16"}  # as the Masked Spiking Transformer's Table 3 calls them
SITES = {".attn.": " in attention", ".mlp.": " in the MLP"}  # by a part of the names of places that are masked


def name_in_words(card: CheckpointCard) -> str:
    """What a network is and what distinguishes it: `E-SpikeFormer, D = 4`."""
    return ", ".join([family_in_words(card), *_traits(card)])


def full_name(card: CheckpointCard, others: Iterable[CheckpointCard] | None = None) -> str:
    """The name in words with the data; and with the checkpoint's name where another network is called the same.

    `others`: among which it has to be told apart; None: all checkpoints there are.
    """
    from spikeviz.artifacts.cards import list_checkpoints

    own = _with_data(card)
    there = list_checkpoints() if others is None else others
    shared = any(other.name != card.name and _with_data(other) == own for other in there)
    return f"{own} ({card.name})" if shared else own


def list_entry(card: CheckpointCard) -> str:
    """A network as an entry of a list that is searched by what is written: words, size, data, result, checkpoint."""
    mark = "needs data" if lacks_data(card) else ""
    parts = [name_in_words(card), size_text(card.parameters), data_title(card), result(card), mark, card.name]
    return " · ".join(part for part in parts if part)


def lacks_data(card: CheckpointCard) -> bool:
    """Whether the test set of a network is not here."""
    from spikeviz.data.catalog import CATALOG

    return card.data not in CATALOG or not CATALOG[card.data].is_here


def data_title(card: CheckpointCard) -> str:
    """The data of a card in words; its name, if this version does not know it."""
    from spikeviz.data.catalog import CATALOG

    return CATALOG[card.data].title if card.data in CATALOG else card.data


def size_text(parameters: int | None) -> str:
    """Parameters in millions: `0.34 M`; "" if nobody counted them."""
    return "" if parameters is None else f"{parameters / 1e6:.{2 if parameters < 10e6 else 1}f} M"


def result(card: CheckpointCard) -> str:
    """Accuracy on the whole test set; of an autoencoder the error of hidden patches, that of the visible mean is 1."""
    from spikeviz.artifacts.cards import accuracy_text

    if card.classifies:
        return accuracy_text(card.accuracy, card.samples)
    measured = card.measured.get("reconstruction")
    return f"hidden-patch error {measured['relative']:.3f} of the visible mean's" if measured else "not measured"


def measured_as(card: CheckpointCard) -> str:
    """As what a network was when its card was measured, whatever a page does with it now."""
    return "as QCFS" if is_qcfs(card) else "as trained"


def whole_test_set(*cards: CheckpointCard) -> str:
    """The accuracy of networks on the whole test set, a sentence to stand beside accuracies on a part of it.

    It is that of the network as its card measured it, whatever is intervened now: a QCFS network as such, one that was
    trained under random masks without them and, where that was measured, under them.
    """
    from spikeviz.artifacts.cards import accuracy_with_error

    known = [card for card in cards if card.accuracy is not None]
    if not known:
        return "As trained, whole test set: not measured."
    said = []
    for card in known:
        text = accuracy_with_error(card.accuracy, card.samples)
        if masked := card.measured.get("as_trained"):
            text += f", under its masks {accuracy_with_error(masked['accuracy'], card.samples)}"
        elif card.trained_under:
            text += " without its masks"
        over = f" ({card.samples:,}{', as QCFS' if is_qcfs(card) else ''})"
        said.append(((f"{card.name} " if len(cards) > 1 else "") + text, over))
    alike = len({over for _, over in said}) == 1
    texts = [text if alike else text + over for text, over in said]
    return f"As trained, whole test set: {'; '.join(texts)}{said[0][1] if alike else ''}."


def _with_data(card: CheckpointCard) -> str:
    name = name_in_words(card)
    return f"{name}{',' if ', ' in name else ''} on {data_title(card)}"


def _architecture(card: CheckpointCard) -> Mapping[str, Any]:
    """Of the card; of one that does not say, of its model, which takes longer; empty if that is not known."""
    if card.architecture:
        return card.architecture
    from spikeviz.models.registry import SPECS

    return SPECS[card.model].as_data if card.model in SPECS else {}


def _config(card: CheckpointCard) -> Mapping[str, Any]:
    """The configuration of the network that sees the picture: of an autoencoder its encoder's."""
    config = _architecture(card).get("config", {})
    return config.get("encoder", config)


def is_qcfs(card: CheckpointCard) -> bool:
    """Whether the network of a card is stored as a QCFS network, which pages show as the spiking one it becomes."""
    return _config(card).get("spiking") is False


def family_in_words(card: CheckpointCard) -> str:
    architecture, config = _architecture(card), _config(card)
    family = architecture.get("family", card.model)
    if "form" in config:
        return f"{FORMS.get(config['form'], config['form'])} (QCFS)"
    if "encoder" in architecture.get("config", {}):
        encoder = "E-SpikeFormer" if "neuron" in config else "Spikformer V2"
        return f"Autoencoder of {encoder}"
    return FAMILIES.get(family, family)


def _traits(card: CheckpointCard) -> Sequence[str]:
    """What distinguishes a network among those of its family, in a fixed order."""
    config, recipe = _config(card), card.training.get("recipe") or {}
    found = []
    if "neuron" in config:  # one whose integers up to D become D binary steps, or one that fires 0 and 1 in T steps
        found.append("binary neurons" if config["neuron"] == "lif" else f"D = {config['levels']}")
        found += [f"T = {config['time_steps']}"] if config["time_steps"] > 1 else []
    if config.get("norm") == "layer":
        found.append("layer normalisation")
    if config.get("softmax") is False:
        found.append("no softmax")
    if isinstance(recipe, Mapping) and recipe.get("start"):
        found.append("pretrained")
    tuned = "fine-tuned" if isinstance(recipe, Mapping) and recipe.get("teacher") else "trained"
    found += [f"{tuned} {_under(rule)}" for rule in card.trained_under]
    threshold = card.measured.get("threshold", card.training.get("threshold"))
    if threshold is not None:
        found.append(f"pruned at {threshold:g}")
    if card.seed:
        found.append(f"seed {card.seed}")
    return found


def _under(rule: Mapping[str, Any]) -> str:
    """What a network was trained under: `at ratio 0.5 in attention`."""
    from spikeviz.artifacts.cards import rule_in_words

    if rule.get("kind") != "MaskSpikes":
        return f"under {rule_in_words(rule)}"
    places = " ".join(rule.get("at", ()))
    return f"at ratio {rule.get('ratio', 0):g}" + "".join(words for part, words in SITES.items() if part in places)
