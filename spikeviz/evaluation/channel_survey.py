"""What every channel of some layers fires over test samples, and how well kept channels predict another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spikeviz.interventions import Intervention
from spikeviz.metrics.channel_masks import channel_rates
from spikeviz.runtime import at_once, in_turn
from spikeviz.simulation import simulate

Rates = dict[str, Tensor]  # by layer, [N, C]


def channel_survey(
    model: nn.Module, x: Tensor, layers: Sequence[str], interventions: Sequence[Intervention] = (), batch: int = 64
) -> Iterator[tuple[int, Rates]]:
    """Run a test set and yield what is known after every batch.

    Args:
        model: that is run; not written to.
        x: images `[N, C, H, W]` or event frames `[T, N, 2, H, W]`.
        layers: whose channels are counted, without `.spike`.
        interventions: applied left to right.
        batch: how many samples run at a time.

    Yields:
        How many samples were run, and of every layer the rate of each channel on each of them: spikes per neuron and
        step, float64 `[n, C]`, on the CPU.

    Raises:
        KeyError: at the first batch, for a layer that the model lacks.
    """
    found: dict[str, list[Tensor]] = {name: [] for name in layers}

    def run(some: Tensor) -> tuple[int, Rates]:
        recording = simulate(model, some, interventions, tuple(f"{name}.spike" for name in layers))
        return some.shape[some.ndim - 4], {name: channel_rates(recording[f"{name}.spike"]) for name in layers}

    done = 0
    for count, rates in in_turn(run, x.split(batch, x.ndim - 4), at_once(model)):
        for name, known in found.items():
            known.append(rates[name])
        done += count
        yield done, {name: torch.cat(rates) for name, rates in found.items()}


def predicted_by_kept(
    values: Float[Tensor, "N C"], kept: Bool[Tensor, "C"]
) -> tuple[Float[Tensor, "C"], Int[Tensor, "C"]]:
    """How well the one kept channel that fits best predicts each channel, linearly.

    R^2 of a straight line, which is the squared correlation over the N values: 1 where a kept channel shows the same
    but for scale and offset, 0 where none shows any of it. A kept channel is predicted from the others. The best of K
    unrelated channels explains something by chance: about 2 ln(K) / N, so compare dropped channels with kept ones.

    Args:
        values: of each channel, at each place, step or sample.
        kept: which channels may predict.

    Returns:
        R^2 of each channel, NaN where it does not vary or no kept channel does; and the number of the channel that
        fits best, -1 where there is none.
    """
    centred = values.double() - values.double().mean(0)
    spread = centred.square().sum(0).sqrt()
    varies = spread > 1e-12
    unit = torch.where(varies, centred / spread.clamp_min(1e-12), torch.zeros_like(centred))
    fit = (unit.T @ unit).square().clamp(max=1.0)
    usable = (kept & varies)[None, :] & varies[:, None] & ~torch.eye(len(kept), dtype=torch.bool, device=kept.device)
    best, which = torch.where(usable, fit, torch.full_like(fit, -1.0)).max(1)
    none = best < 0
    return best.masked_fill(none, torch.nan), which.masked_fill(none, -1)
