"""Spike activation maps by hand arithmetic, ScoreCAM where the answer is known, power, and the places of masks."""

from math import exp

import pytest
import torch
from support.networks import make_cnn, make_mst, make_tiny

import spikeviz as sv
from spikeviz.interventions import MaskSpikes
from spikeviz.metrics.spike_masking import masking_places
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


class Corner(torch.nn.Module):
    """A network of one neuron layer, whose first class is the light in the upper left corner."""

    def __init__(self):
        super().__init__()
        self.inner = make_tiny()
        self.name = "corner"

    def forward(self, x):
        self.inner(x)
        corner = x[..., :4, :4].mean((-1, -2, -3))
        return torch.stack([20 * corner, torch.full_like(corner, 5.0)], -1)[None]

    def parameters(self, recurse=True):
        return self.inner.parameters()


def test_score_cam_finds_what_decides():
    model = Corner().eval()
    x = torch.ones(1, 1, 16, 16)
    cam = sv.metrics.score_cam(model, x, "stem.stages.0", label=0)
    maps = sv.simulate(model.inner, x, keep="*.spike")["stem.stages.0.spike"].flows.mean(0)[0]
    spread = maps.flatten(1).max(1).values > maps.flatten(1).min(1).values
    assert cam.shape == (16, 16) and cam.max() == pytest.approx(1.0) and cam.min() >= 0 and spread.any()
    scores = []
    for channel in maps:  # the same, one channel at a time
        low, high = channel.min(), channel.max()
        mask = (channel - low) / (high - low) if high > low else torch.zeros(16, 16)
        weight = model(x * mask)[0, 0].softmax(-1)[0] if high > low else 0.0
        scores.append(weight * mask)
    by_hand = torch.stack(scores).sum(0)
    assert torch.allclose(cam, by_hand / by_hand.max(), atol=1e-5)


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
