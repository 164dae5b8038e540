"""Loops over data: accuracy, surveys, curves. What takes long is a generator of what is known so far."""

from spikeviz.evaluation.accuracy import accuracy, measure
from spikeviz.evaluation.masked_accuracy import MaskedAccuracy, masked_accuracy
from spikeviz.evaluation.survey import Survey, survey
from spikeviz.evaluation.throughput import Throughput, throughput

__all__ = [
    "MaskedAccuracy",
    "Survey",
    "Throughput",
    "accuracy",
    "masked_accuracy",
    "measure",
    "survey",
    "throughput",
]
