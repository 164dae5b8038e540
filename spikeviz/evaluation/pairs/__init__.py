"""Two networks, or two settings of one, on the same samples: what is compared in pairs needs fewer of them."""

from spikeviz.artifacts.cards import binomial_error
from spikeviz.evaluation.pairs.loop import Setting, compare
from spikeviz.evaluation.pairs.numbers import PairedNumbers, mean_and_error
from spikeviz.evaluation.pairs.value import SURE, Paired, paired, paired_error

__all__ = [
    "SURE",
    "Paired",
    "PairedNumbers",
    "Setting",
    "binomial_error",
    "compare",
    "mean_and_error",
    "paired",
    "paired_error",
]
