"""What can be intervened in is asked of a network's form: no weights are needed."""

import pytest
import torch

import spikeviz as sv
from spikeviz.artifacts.as_data import KINDS
from spikeviz.artifacts.cards import find_card, list_checkpoints
from spikeviz.artifacts.checkpoints import skeleton
from spikeviz.interventions import MaskChannels, bounded_fields
from spikeviz.metrics.spike_masking import masking_places

# of the families as they are built: an MST is its QCFS network, which has no time
LEAKY = {"TimeSteps", "FiringThreshold", "TimeConstant", "SpikeDriven", "MaskSpikes"}
QCFS = {"QuantisationLevels", "MaskSpikes"}
POSSIBLE = {
    "spikformer": LEAKY,
    "spikformer-v2": LEAKY,
    "sdmformer": LEAKY | {"MaskChannels"},
    "mst": QCFS,
    "mst-cnn": QCFS,
}
INTEGERS = {"TimeSteps", "SpikeLevels", "SpikeDriven", "MaskSpikes"}


def expected(spec) -> set[str]:
    if spec.family in POSSIBLE:
        return POSSIBLE[spec.family]
    encoder = spec.config.encoder if spec.family == "spike-mae" else spec.config
    fires_integers = getattr(encoder, "neuron", "lif") == "integer"
    return (INTEGERS if fires_integers else LEAKY) | ({"HidePatches"} if spec.family == "spike-mae" else set())


@pytest.mark.parametrize("spec", sv.list_models(), ids=lambda spec: spec.name)
def test_of_every_size(spec):
    with torch.device("meta"):
        model = sv.build(spec.name)
    kinds = {name: kind for name, kind in KINDS.items() if name not in ("Intervention", "Tuned")}
    assert {name for name, kind in kinds.items() if kind.possible(model)} == expected(spec)
    for name in expected(spec):  # and so can a value of it
        fields = {field.name: field.metadata["bounds"].slider[0] for field in bounded_fields(kinds[name])}
        fields |= {"at": masking_places(model)[0].name} if name == "MaskSpikes" else {}
        assert kinds[name](**fields).acts_on(model)
    assert type(model).__name__ in repr(model)


def test_a_pruned_checkpoint_is_known_by_its_form():
    whole, pruned = (find_card(name)[0] for name in ("sdmformer-fashion-dvs", "sdmformer-fashion-dvs-pruned"))
    assert MaskChannels.possible(skeleton(whole)) and not MaskChannels.possible(skeleton(pruned))
    assert skeleton(pruned) is skeleton(pruned)


def test_a_skeleton_has_the_form_of_what_is_loaded():
    for card in list_checkpoints():
        model, loaded = skeleton(card), sv.load(card.name, "cpu")
        assert not model.training and all(value.is_meta for value in model.state_dict().values())
        shapes = {name: value.shape for name, value in model.state_dict().items()}
        assert shapes == {name: value.shape for name, value in loaded.state_dict().items()}, card.name


def test_a_skeleton_of_a_lost_file(tmp_path, monkeypatch):
    monkeypatch.setattr("spikeviz.artifacts.cards.user_checkpoints", lambda: tmp_path)
    card = sv.CheckpointCard("lost", "spikformer-fashion", "fashion", "classes", 0.1, 10, "none", 0, "CPU", "none", "0")
    card.write(tmp_path / "lost.json")
    with pytest.raises(ValueError, match=r"no file lost\.safetensors"):
        skeleton(card)
    (tmp_path / "lost.safetensors").write_bytes(b"PK\x03\x04 not a tensor in sight")
    with pytest.raises(ValueError, match="not a safetensors file"):
        skeleton(card)
