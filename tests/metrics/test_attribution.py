"""Spike activation maps by hand arithmetic, ScoreCAM where the answer is known, power, and the places of masks."""

from math import exp, log

import pytest
import torch
from support.networks import make_cnn, make_mst, make_tiny

import spikeviz as sv
from spikeviz.interventions import MaskSpikes
from spikeviz.metrics.spike_masking import masking_places
from spikeviz.probe import Probe, name_probes
from spikeviz.recording import Track


def spikes(values) -> Track:
    """[T, C] of one sample on one place."""
    return Track(torch.tensor(values, dtype=torch.uint8)[:, None, :, None, None], ("T", "B", "C", "H", "W"), "spike")


def test_sam_by_hand():
    maps = sv.metrics.sam(spikes([[1, 0], [1, 1], [0, 0], [1, 1]]), gamma=1.0)[:, 0, 0]
    e = [exp(-n) for n in range(4)]
    expected = [0, e[1], 0, (e[3] + e[2]) + e[2]]  # channel 0 fired at 0 and 1, channel 1 at 1
    assert maps.tolist() == pytest.approx(expected)


def test_sam_of_the_real_network_sees_where_it_fires():
    r = sv.simulate(make_tiny(), torch.rand(2, 1, 16, 16))
    maps = sv.metrics.sam(r["stem.stages.0.spike"], sample=1)
    assert maps.shape == (3, 16, 16) and maps[0].sum() == 0 and maps[1].sum() > 0
    silent = r["stem.stages.0.spike"].values[2, 1].sum(0) == 0
    assert (maps[2][silent] == 0).all()
    with pytest.raises(ValueError, match="gamma must be above 0"):
        sv.metrics.sam(r["stem.stages.0.spike"], gamma=0)
    with pytest.raises(ValueError, match="axes T B C H W"):
        sv.metrics.sam(r["blocks.0.attn.scores"])


class Halves(torch.nn.Module):
    """Channels that fire whatever is seen: 0 in the left half at one step of two, 1 in the right half, 2 all over.
    The logit of class 0 is ln 3 times the light in the left half, that of class 1 half of the light in both."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.halves = torch.nn.Module()
        self.halves.spike = Probe("spike", "TBCHW")
        name_probes(self)

    def forward(self, x):
        spikes = torch.zeros(2, len(x), 3, 4, 4)
        spikes[0, :, 0, :, :2] = 1
        spikes[:, :, 1, :, 2:] = 1
        spikes[:, :, 2] = 1
        self.halves.spike(spikes)
        left, right = x[..., :2].mean((1, 2, 3)), x[..., 2:].mean((1, 2, 3))
        return torch.stack([7 + log(3) * left, (left + right) / 2], -1).expand(2, -1, -1)


def test_score_cam_by_hand():
    """Channel 0 raises class 0 by ln 3; 1 and 2, which lets nothing be told apart, raise it by 0: weights 3 : 1 : 1."""
    found = sv.metrics.score_cam(Halves().eval(), torch.ones(1, 1, 4, 4), "halves")
    assert found.label == 0 and found.channels.tolist() == [0, 1, 2]
    assert found.increases.tolist() == pytest.approx([log(3), 0, 0], abs=1e-6)
    assert found.weights.tolist() == pytest.approx([3 / 5, 1 / 5, 1 / 5])
    left, right = 3 / 5 * 1 / 2 + 1 / 5 * 1, 1 / 5 * 1 + 1 / 5 * 1  # activations, not masks, are added
    assert found.map[:, :2].flatten().tolist() == pytest.approx([1.0] * 8)
    assert found.map[:, 2:].flatten().tolist() == pytest.approx([right / left] * 8)


def test_score_cam_of_a_class_that_both_halves_raise():
    found = sv.metrics.score_cam(Halves().eval(), torch.ones(1, 1, 4, 4), "halves", label=1)
    e = exp(0.5)
    assert found.weights.tolist() == pytest.approx([e / (2 * e + 1), e / (2 * e + 1), 1 / (2 * e + 1)])


def test_score_cam_of_nothing_is_even():
    """No light, nothing raises anything: every channel has the weight of the baseline."""
    found = sv.metrics.score_cam(Halves().eval(), torch.zeros(1, 1, 4, 4), "halves", label=0)
    assert not found.increases.any() and found.weights.tolist() == pytest.approx([1 / 3] * 3)


def test_score_cam_asks_the_channels_that_vary():
    """Of three channels two: that without a spread is left out."""
    found = sv.metrics.score_cam(Halves().eval(), torch.ones(1, 1, 4, 4), "halves", most=2)
    assert found.channels.tolist() == [0, 1] and found.weights.tolist() == pytest.approx([3 / 4, 1 / 4])


def test_score_cam_of_a_network_is_one_channel_after_the_other():
    model, x = make_tiny(), torch.rand(1, 1, 16, 16)
    found = sv.metrics.score_cam(model, x, "stem.stages.0", label=1)
    maps = sv.simulate(model, x, keep="*.spike")["stem.stages.0.spike"].flows.mean(0)[0]
    black = sv.simulate(model, torch.zeros_like(x)).output[0, 1]
    for number, channel in enumerate(maps):
        low, high = channel.min(), channel.max()
        mask = (channel - low) / (high - low) if high > low else torch.zeros(16, 16)
        raised = sv.simulate(model, x * mask).output[0, 1] - black
        assert found.increases[number] == pytest.approx(float(raised), abs=1e-5)
    by_hand = (found.increases.softmax(0)[:, None, None] * maps).sum(0)
    assert torch.allclose(found.map, by_hand / by_hand.max(), atol=1e-5) and found.map.max() == pytest.approx(1.0)


def test_score_cam_refuses(unchecked):
    model = make_tiny()
    with pytest.raises(ValueError, match="one image"):
        sv.metrics.score_cam(model, torch.rand(2, 1, 16, 16), "stem.stages.0")
    with pytest.raises(ValueError, match="no spikes on a grid called nowhere"):
        sv.metrics.score_cam(model, torch.rand(1, 1, 16, 16), "nowhere")
    with pytest.raises(ValueError, match="the classes 0 to 2, not 9"):
        sv.metrics.score_cam(model, torch.rand(1, 1, 16, 16), "stem.stages.0", label=9)


def test_power_is_spikes_of_a_sample_over_a_millisecond():
    model, x = sv.to_spiking(make_mst(), 4), torch.rand(3, 1, 16, 16)
    r = sv.simulate(model, x)
    total = sum(int(track.values.sum(dtype=torch.long)) for track in r.of_kind("spike").values())
    assert sv.metrics.power(r) == pytest.approx(total / 3 * 1000)
    assert sv.metrics.power(sv.simulate(model, x, MaskSpikes(0.5))) < sv.metrics.power(r)


def test_places_of_masks():
    places = masking_places(make_mst())
    assert [p.name for p in places[:4]] == [
        *(f"blocks.0.attn.{end}" for end in ("q.spike", "k.spike", "scores")),
        "blocks.0.mlp.hidden.spike",
    ]
    assert {p.block for p in places} == {0, 1, 2} and len(places) == 12
    assert [p.site for p in masking_places(make_tiny())] == ["q", "k", "scores", "MLP hidden", *["convolution"] * 4]
    vgg, resnet = make_cnn("vgg16"), make_cnn("resnet18")
    assert len(masking_places(vgg)) == 12 and len(masking_places(resnet)) == 19
    r = sv.simulate(
        sv.to_spiking(vgg, 2), torch.rand(1, 1, 32, 32), MaskSpikes(1.0, at=tuple(p.name for p in masking_places(vgg)))
    )
    assert r["blocks.11.conv.input"].values.sum() == 0  # nothing reaches the last convolution
