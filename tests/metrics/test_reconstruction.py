"""Errors of a reconstruction, by hand; and the file of a replay."""

import numpy as np
import pytest
import torch

import spikeviz as sv
from spikeviz.artifacts.replays import Replay, find_replay
from spikeviz.metrics import hidden_mse, hidden_psnr, hidden_ssim, smooth_fill, visible_mean

LEFT = torch.zeros(1, 1, 12, 12, dtype=torch.bool)
LEFT[..., :6] = True  # visible


def flat(left, right, channels=1):
    x = torch.full((1, channels, 12, 12), float(left))
    x[..., 6:] = right
    return x


def test_only_hidden_pixels_count():
    image, made = flat(0.2, 0.5), flat(0.9, 0.6)
    assert hidden_mse(image, made, LEFT).tolist() == pytest.approx([0.01])
    assert hidden_psnr(image, made, LEFT).tolist() == pytest.approx([20.0])  # -10 log10 0.01
    assert hidden_mse(image, made, ~LEFT).tolist() == pytest.approx([0.49])
    assert hidden_mse(image, made, torch.ones_like(LEFT)).isnan().all()
    two = torch.cat([flat(0.2, 0.5), flat(0.2, 0.7)], 1)  # two channels, errors 0.1 and 0.3
    assert hidden_mse(two, flat(0.0, 0.4, channels=2), LEFT).tolist() == pytest.approx([0.05])


def test_the_visible_mean_is_of_each_image_and_channel():
    image = torch.cat([flat(0.2, 0.5), flat(0.4, 1.0)], 1)
    image[..., 0, 0] = 0.56  # one visible pixel of 72: the mean rises by 0.36 / 72 and 0.16 / 72
    filled = visible_mean(image, LEFT)
    assert filled.shape == image.shape
    assert filled[0, :, 3, 9].tolist() == pytest.approx([0.2 + 0.36 / 72, 0.4 + 0.16 / 72])
    assert not visible_mean(image, torch.zeros_like(LEFT)).any()


def test_a_smooth_fill_is_a_weighted_mean():
    """Of pixels 0.2 and 0.8 at distances 2 and 1: weights exp(-4 / 2) and exp(-1 / 2) at a width of 1."""
    image, mask = torch.tensor([0.2, 0.8, 0.5]).view(1, 1, 1, 3), torch.tensor([True, True, False]).view(1, 1, 1, 3)
    far, near = np.exp(-2.0), np.exp(-0.5)
    filled = smooth_fill(image, mask, 1.0)[0, 0, 0]
    assert filled[2].item() == pytest.approx((0.2 * far + 0.8 * near) / (far + near))
    assert filled[0].item() == pytest.approx((0.2 + 0.8 * near) / (1 + near))
    wide = smooth_fill(image, mask, 1e4)[0, 0, 0]
    assert wide.tolist() == pytest.approx([0.5, 0.5, 0.5])  # a wide one is the visible mean
    one = torch.zeros(1, 1, 1, 60, dtype=torch.bool)
    one[..., :2] = True  # where no weight is left it is the visible mean as well
    assert smooth_fill(torch.full((1, 1, 1, 60), 0.3), one, 0.5)[0, 0, 0].tolist() == pytest.approx([0.3] * 60)
    assert not smooth_fill(image, torch.zeros_like(mask), 1.0).any()


def test_both_axes_count():
    """The pixel in a corner of a 2 x 2 image: its neighbours at 1, the one across at the root of 2."""
    image = torch.tensor([[0.9, 0.1], [0.3, 0.7]]).view(1, 1, 2, 2)
    mask = torch.tensor([[False, True], [True, True]]).view(1, 1, 2, 2)
    near, across = np.exp(-1 / 8), np.exp(-2 / 8)
    expected = (0.1 * near + 0.3 * near + 0.7 * across) / (2 * near + across)
    assert smooth_fill(image, mask, 2.0)[0, 0, 0, 0].item() == pytest.approx(expected)


def test_similarity_of_flat_pictures():
    """Without any structure only the light differs: (2 a b + c1) / (a^2 + b^2 + c1), c1 = 0.01^2."""
    image, made, hidden = flat(0.4, 0.4), flat(0.6, 0.6), torch.zeros_like(LEFT)
    expected = (2 * 0.24 + 1e-4) / (0.16 + 0.36 + 1e-4)
    assert hidden_ssim(image, made, hidden).tolist() == pytest.approx([expected], rel=1e-4)
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)).double()
    mask = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    assert hidden_ssim(x, x, mask).tolist() == pytest.approx([1, 1])
    turned = hidden_ssim(x, 1 - x, mask)  # the negative: structure is against it
    assert (turned < 0).all() and (hidden_ssim(x, 1 - x, ~mask).isnan()).all()


def test_what_was_visible_is_seen_as_it_is():
    """Only the hidden half of the reconstruction enters: the visible one may hold anything."""
    image = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    assert torch.equal(hidden_ssim(image, flat(0.1, 0.5), LEFT), hidden_ssim(image, flat(0.9, 0.5), LEFT))


def test_errors_of_a_recording():
    x = torch.rand(3, 1, 28, 28)
    model = sv.build("spikformer-v2-mae-fashion").eval()
    r = sv.simulate(model, x, sv.interventions.HidePatches(0.75))
    table = sv.metrics.reconstruction_errors(x, r)
    assert list(table) == ["MSE", "fill", "relative", "PSNR", "SSIM"] and len(table) == 3
    mask = r["mask"].values
    by_hand = [(x[n] - r.output[n])[~mask[n]].square().mean().item() for n in range(3)]
    assert table["MSE"].tolist() == pytest.approx(by_hand, rel=1e-5)
    assert (table["relative"] == table["MSE"] / table["fill"]).all()
    wide = sv.metrics.reconstruction_errors(x, r, width=2.0)
    assert list(wide) == [*table, "smooth", "over_smooth"]
    smooth = hidden_mse(x.double(), smooth_fill(x.double(), mask, 2.0), mask)
    assert wide["smooth"].tolist() == pytest.approx(smooth.tolist())
    assert (wide["over_smooth"] == wide["MSE"] / wide["smooth"]).all()
    with pytest.raises(ValueError, match="need the tracks mask and reconstruction of spikformer-v2-mae-fashion"):
        sv.metrics.reconstruction_errors(x, sv.simulate(model, x, keep=""))
    with pytest.raises(ValueError, match=r"the reconstruction is \[3, 1, 28, 28\], the images are \[2, 1, 28, 28\]"):
        sv.metrics.reconstruction_errors(x[:2], r)


@pytest.fixture
def replay():
    made = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 1, 1, 4, 4)
    kept = np.array([[[True, False], [False, False]]])
    return Replay(made[0], kept, made, np.array([0.2, 0.1]), 0.3, np.array([1.0, 2.0]), 256, 0.75)


def test_a_replay_comes_back_as_it_was(replay, tmp_path):
    path = tmp_path / "new" / "x.npz"
    replay.write(path, sha256="abc")
    again = Replay.read(path)
    assert np.array_equal(again.made, replay.made) and np.array_equal(again.kept, replay.kept)
    assert (again.fill, again.samples, again.ratio) == (0.3, 256, 0.75) and again.rank.tolist() == [1.0, 2.0]
    assert sorted(p.name for p in path.parent.iterdir()) == ["x.npz"]


def test_a_damaged_replay(tmp_path):
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 no picture in sight")
    with pytest.raises(ValueError, match=r"x\.npz is no replay of a training"):
        Replay.read(tmp_path / "x.npz")
    np.savez(tmp_path / "y.npz", made=np.zeros(3))
    with pytest.raises(ValueError, match=r"y\.npz is no replay"):
        Replay.read(tmp_path / "y.npz")


def test_a_classifier_has_no_replay():
    assert find_replay("spikformer-fashion") is None
    with pytest.raises(ValueError, match="no checkpoint 'nope'"):
        find_replay("nope")
