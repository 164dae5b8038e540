"""Mean ablation of attention: of two tokens on paper, of every family by what it replaces; the paired error."""

from math import sqrt

import pytest
import torch
from support.networks import make_autoencoder, make_cnn, make_masked, make_mst, make_small, make_tiny
from torch import nn

import spikeviz as sv
from spikeviz.evaluation.controls.ablation import MeanAblation, places
from spikeviz.evaluation.controls.gaps import Gap, gap_survey
from spikeviz.evaluation.pairs import paired_error
from spikeviz.memory import Memory
from spikeviz.nn.attention import SpikeAttention
from spikeviz.probe import name_probes

IMAGES = torch.rand(7, 1, 16, 16, generator=torch.Generator().manual_seed(2))
EVENTS = torch.rand(3, 7, 2, 16, 16, generator=torch.Generator().manual_seed(3)).round()
FAMILIES = {
    "spikformer": lambda: (make_tiny(), IMAGES),
    "spikformer, q(kv)": lambda: (make_tiny("imagenet", pools=(1, 3)), IMAGES),
    "sdmformer": lambda: (make_masked(), EVENTS),
    "e-spikeformer": lambda: (make_small(), IMAGES),
    "e-spikeformer, large": lambda: (make_small("large-rep"), IMAGES),
    "mst": lambda: (make_mst(), IMAGES),
    "mst, strict": lambda: (make_mst(softmax=False), IMAGES),
    "mst, spiking": lambda: (sv.to_spiking(make_mst(), 3), IMAGES),
}


class TwoTokens(nn.Module):
    """The channels of a picture of two pixels are q, k and v of two tokens; which token gets more is the class."""

    name = "two-tokens"

    def __init__(self, order: str):
        super().__init__()
        self.attn = SpikeAttention(1, 1, 0.5, order)
        self.bias = nn.Parameter(torch.tensor([0.1, 0.0]))

    def forward(self, x):
        q, k, v = x[None].split(1, 2)
        y = self.attn.added(self.attn.attend(q, k, v)).flatten(2)
        return torch.stack([y[..., 0] - y[..., 1], y[..., 1] - y[..., 0]], -1) + self.bias


# scores q k^T: [[1, 0], [0, 0]] and [[0, 0], [1, 1]]; with v and the scale of a half: (0.5, 0) and (0, 0.5)
TOKENS = torch.tensor([[[[1.0, 0.0]], [[1.0, 0.0]], [[1.0, 1.0]]], [[[0.0, 1.0]], [[1.0, 1.0]], [[1.0, 0.0]]]])
CLASSES = torch.tensor([0, 1])


@pytest.mark.parametrize("order", ["(qk)v", "q(kv)"])
def test_two_tokens_on_paper(order):
    model = name_probes(TwoTokens(order).eval())
    whole = sv.evaluation.attention_gap(model, TOKENS, CLASSES)
    # each token of each sample gets the mean of 0.5, 0, 0, 0.5: the bias decides, for the first class
    assert (whole.accuracy, whole.ablated, whole.gap, whole.samples) == (1.0, 0.5, 0.5, 2)
    assert (whole.lost, whole.won) == (1, 0) and whole.error == pytest.approx(sqrt(1 - 1 / 2) / 2)
    # mean scores [[0.5, 0], [0.5, 0.5]]: v of (1, 1) gives (0.25, 0.5), v of (1, 0) gives (0.25, 0.25): both wrong
    content = sv.evaluation.content_gap(model, TOKENS, CLASSES)
    assert (content.accuracy, content.ablated, content.gap) == (1.0, 0.0, 1.0)
    mean = torch.tensor([[0.5, 0.0], [0.5, 0.5]]).view(1, 1, 1, 2, 2)
    logits = sv.simulate(model, TOKENS, MeanAblation("attn.match", mean), keep="").output
    torch.testing.assert_close(logits, torch.tensor([[-0.25 + 0.1, 0.25], [0.1, 0.0]]))


@pytest.mark.parametrize("batch", [1, 2])
def test_the_mean_is_of_all_samples_and_not_of_a_batch(batch):
    model = name_probes(TwoTokens("(qk)v").eval())
    found = dict(list(gap_survey(model, TOKENS, CLASSES, batch=batch))[-1][1])
    assert found["attention"].ablated == 0.5 and found["content"].ablated == 0.0


@pytest.mark.parametrize("family", FAMILIES)
def test_every_module_of_a_family_is_replaced(family):
    """The mean is that of the tracks, over samples and places; without it a sample is as any other to what follows."""
    model, x = FAMILIES[family]()
    names = {part: places(model, part) for part in ("attention", "content")}
    assert all(len(of_part) == len(model.blocks) for of_part in names.values())
    r = sv.simulate(model, x, keep=(*names["attention"], *names["content"]))
    assert tuple(r) and set(r) == {*names["attention"], *names["content"]}
    edits = []
    for name in names["attention"]:
        mean = r[name].values.double().mean((1, 3, 4), keepdim=True)
        edits.append(MeanAblation(name, mean))
    edited = sv.simulate(model, x, tuple(edits), keep=names["attention"])
    for name in names["attention"]:
        flows = edited[name].values
        assert torch.equal(flows, flows[:, :1, :, :1, :1].expand_as(flows))
        torch.testing.assert_close(flows[:, 0, :, 0, 0], r[name].values.double().mean((1, 3, 4)).float())
    axis = x.ndim - 4
    y = sv.simulate(model, x, keep="").output.argmax(-1)
    found = dict(list(gap_survey(model, x, y, batch=3))[-1][1])
    right = int((edited.output.argmax(-1) == y).sum())
    assert found["attention"].accuracy == 1.0 and found["attention"].ablated == right / x.shape[axis]
    mean = {name: r[name].values.double().mean(1, keepdim=True) for name in names["content"]}
    edited = sv.simulate(model, x, tuple(MeanAblation(name, value) for name, value in mean.items()), keep="")
    assert found["content"].ablated == int((edited.output.argmax(-1) == y).sum()) / x.shape[axis]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_other_order_is_equal(family):
    """Replaced by itself the product is computed as (q k^T) v, whatever the published order."""
    model, x = FAMILIES[family]()
    names = places(model, "content")
    r = sv.simulate(model, x, keep=names)
    edits = tuple(MeanAblation(name, r[name].values) for name in names)
    torch.testing.assert_close(sv.simulate(model, x, edits, keep="").output, r.output)


@pytest.mark.parametrize("family", FAMILIES)
def test_places_of_controls_are_silent(family):
    model, x = FAMILIES[family]()
    names = {*places(model, "attention"), *places(model, "content")}
    assert not names & set(sv.simulate(model, x)) and not names & set(sv.simulate(model, x, keep="blocks.*"))


def test_a_memory_knows_what_is_silent():
    """A run that kept all it may by a glob has not kept these."""
    model, x = FAMILIES["mst"]()
    name, memory = places(model, "content")[0], Memory()
    sv.simulate(model, x, keep="*", memory=memory)
    assert name in sv.simulate(model, x, keep=("*", name), memory=memory)


def test_models_are_not_written_to():
    model, x = FAMILIES["mst"]()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    sv.evaluation.attention_gap(model, x, torch.zeros(7, dtype=torch.long), reestimate=x)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_with_statistics_estimated_again():
    """Each side under its own settings: of the network as it is, and of the ablated one."""
    model, x = FAMILIES["spikformer"]()
    y = sv.simulate(model, x, keep="").output.argmax(-1)
    gap = sv.evaluation.attention_gap(model, x, y, reestimate=x)
    again = gap.reestimated
    own = sv.evaluation.reestimate_norm(model, x)
    assert again.accuracy == float((sv.simulate(own, x, keep="").output.argmax(-1) == y).double().mean())
    names = places(model, "attention")
    r = sv.simulate(model, x, keep=names)
    edits = tuple(MeanAblation(name, r[name].values.double().mean((1, 3, 4), keepdim=True)) for name in names)
    other = sv.evaluation.reestimate_norm(model, x, edits)
    assert again.ablated == float((sv.simulate(other, x, edits, keep="").output.argmax(-1) == y).double().mean())
    assert set(gap.as_data) == {"gap", "error", "accuracy", "ablated", "samples", "reestimated"}


def test_the_paired_error():
    """30 lost and 10 won of 100: a difference of 0.2, variance of a pair (30 + 10) / 100 - 0.2^2 = 0.36."""
    assert paired_error(30, 10, 100) == pytest.approx(sqrt(0.36 / 100))


@pytest.mark.parametrize(
    ("lost", "won", "words"),
    [(20, 2, "who looks at whom matters"), (6, 3, "no difference found"), (2, 20, "better without")],
)
def test_a_verdict_is_outside_two_errors(lost, won, words):
    """Errors of 4.3, 3.0 and 4.3 points beside gaps of 18, 3 and -18."""
    assert words in Gap("content", 100, 60, lost, won).verdict


@pytest.mark.parametrize(
    ("model", "words"), [(lambda: make_cnn("vgg16"), "no attention"), (lambda: make_autoencoder(1.0), "names no class")]
)
def test_a_control_a_network_cannot_have_is_a_sentence(model, words):
    for gap in (sv.evaluation.attention_gap, sv.evaluation.content_gap):
        with pytest.raises(ValueError, match=words):
            gap(model(), torch.rand(2, 1, 28, 28), torch.tensor([0, 1]))


def test_samples_and_labels_belong_together():
    with pytest.raises(ValueError, match="a class of each"):
        sv.evaluation.attention_gap(make_tiny(), IMAGES, torch.tensor([0]))
