"""The spikes with which the start page opens: a network as trained, on its first test sample."""

from __future__ import annotations

from spikeviz.artifacts.packed_spikes import PackedSpikes


def record(name: str, command: str) -> PackedSpikes:
    """The packed spikes of a checkpoint on test sample 0; `command` is the one that makes them.

    Raises:
        ValueError: for an unknown checkpoint, or one that does not classify.
        FileNotFoundError: if its test set is not here.
    """
    from spikeviz.artifacts.cards import find_card
    from spikeviz.views.address import State
    from spikeviz.views.experiment import Experiment
    from spikeviz.views.overview import PAGE
    from spikeviz.views.scene import open_scene

    card, _ = find_card(name)
    if not card.classifies:
        raise ValueError(f"{name} answers with pictures: the start page shows networks that answer with classes.")
    wanted = Experiment(name)
    scene, _, _ = open_scene(PAGE, State(wanted), {})
    packed = scene.now.packed
    about = {"checkpoint": name, "sha256": card.sha256, "source": wanted.source, "command": command}
    facts = {key: value for key, value in packed.facts.items() if key != "notes"}
    return PackedSpikes(packed.layers, packed.pixels, facts | about)
