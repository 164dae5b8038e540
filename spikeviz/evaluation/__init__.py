"""Loops over data: accuracy, surveys, curves. What takes long is a generator of what is known so far."""

from spikeviz.evaluation.accuracy import accuracy, measure
from spikeviz.evaluation.controls import Gap, attention_gap, content_gap, gap_survey, reestimate_norm
from spikeviz.evaluation.masked_accuracy import MaskedAccuracy, masked_accuracy
from spikeviz.evaluation.pairs import Paired, compare, paired
from spikeviz.evaluation.survey import Survey, survey
from spikeviz.evaluation.throughput import Throughput, throughput

__all__ = [
    "Gap",
    "MaskedAccuracy",
    "Paired",
    "Survey",
    "Throughput",
    "accuracy",
    "attention_gap",
    "compare",
    "content_gap",
    "gap_survey",
    "masked_accuracy",
    "measure",
    "paired",
    "reestimate_norm",
    "survey",
    "throughput",
]
