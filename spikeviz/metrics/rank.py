"""How many dimensions what an encoder says really has."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def effective_rank(z: Float[Tensor, "*tokens C"]) -> float:
    """Effective rank of tokens: exp of the entropy of the normalised singular values (E-SpikeFormer, Eq. 29; Roy &
    Vetterli, EUSIPCO 2007). 1 if all lie on a line through 0, at most min(tokens, C); 0 if nothing is said at all.

    Raises:
        ValueError: if z has fewer than two axes, or holds no numbers.
    """
    if z.ndim < 2 or not z.numel() or not z.isfinite().all():
        raise ValueError(f"an effective rank needs finite tokens [..., C], not {list(z.shape)}.")
    values = torch.linalg.svdvals(z.detach().double().flatten(0, -2).cpu())
    total = values.sum()
    if total == 0:
        return 0.0
    shares = values / total
    return float(torch.exp(-torch.xlogy(shares, shares).sum()))
