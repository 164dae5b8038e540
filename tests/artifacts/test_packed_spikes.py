"""Packed spikes: a bit a neuron and step, in a file without pickles; what ships is what the network does."""

import numpy as np
import pytest

import spikeviz as sv
from spikeviz.artifacts.packed_spikes import LayerSpikes, PackedSpikes
from spikeviz.paths import assets


def made(steps: int = 3) -> PackedSpikes:
    spikes = np.random.default_rng(0).random((steps, 5, 4, 3)) < 0.4
    facts = {"steps": steps, "logits": [0.0]}
    return PackedSpikes({"a.b": LayerSpikes.of(spikes)}, np.zeros((1, 4, 3), np.float32), facts)


def test_a_layer_gives_back_what_was_packed():
    spikes = np.random.default_rng(1).random((3, 5, 4, 3)) < 0.3
    layer = LayerSpikes.of(spikes)
    assert len(layer.bits) == -(-spikes.size // 8)
    np.testing.assert_array_equal(layer.spikes, spikes)
    np.testing.assert_allclose(layer.maps, spikes.mean(1))
    assert layer.count == spikes.sum()


def test_packed_spikes_survive_their_file(tmp_path):
    packed = made()
    packed.write(tmp_path / "packed.npz")
    again = PackedSpikes.read(tmp_path / "packed.npz")
    one, other = again.layers["a.b"], packed.layers["a.b"]
    assert (one.shape, one.bits, again.facts) == (other.shape, other.bits, packed.facts)
    (tmp_path / "bad.npz").write_bytes(b"none")
    with pytest.raises(ValueError, match="holds no packed spikes"):
        PackedSpikes.read(tmp_path / "bad.npz")


def test_the_shipped_recording_is_what_the_network_does():
    """Spikes, logits and words are those of a run of now: the file is not older than the weights."""
    card = next(c for c in sv.list_checkpoints() if c.name == "spikformer-fashion")
    shipped = PackedSpikes.read(assets() / "recordings" / f"{card.name}.npz")
    assert shipped.facts["sha256"] == card.sha256
    x, y = sv.load_data(card.data, "test", 1)
    recording = sv.simulate(sv.load(card.name, "cpu"), x, keep="*.spike")
    assert shipped.facts["label"] == int(y[0])
    np.testing.assert_allclose(shipped.facts["logits"], recording.output[0].numpy(), atol=1e-4)
    for name, spikes in shipped.layers.items():
        different = (spikes.spikes != recording[f"{name}.spike"].values[:, 0].numpy()).mean()
        assert different < 1e-3, name  # another CPU may round a potential that lies on its threshold differently
