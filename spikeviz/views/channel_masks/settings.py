"""The threshold of learned channel masks as a setting, and as a run has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spikeviz.views.settings import Setting, steps

if TYPE_CHECKING:
    from torch import nn

    from spikeviz.views.experiment import Experiment
    from spikeviz.views.runs import Run


def masks(model: nn.Module, experiment: Experiment) -> list[Setting]:
    """The threshold, and T; of a network without masks T alone."""
    from spikeviz.interventions import MaskChannels
    from spikeviz.nn.channel_masks import TRAINED

    threshold = Setting(MaskChannels, "threshold", "threshold", "Threshold", TRAINED)
    return [*([threshold] if MaskChannels.possible(model) else []), *steps(model, experiment)]


def threshold(run: Run) -> float:
    """The threshold of a run; the trained one where none is set."""
    from spikeviz.interventions import MaskChannels
    from spikeviz.nn.channel_masks import TRAINED

    rules = run.experiment.of_kind(MaskChannels)
    return rules[-1].threshold if rules else TRAINED


def unmasked(run: Run) -> Experiment:
    """What else a run is set to: its experiment without a threshold."""
    from spikeviz.interventions import MaskChannels

    return run.experiment.without(MaskChannels)
