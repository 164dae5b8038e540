"""What must stand beside a claim (`docs`, Controls): ablations, re-estimated normalisation, other ways to prune."""

from spikeviz.evaluation.controls.gaps import Gap, attention_gap, content_gap, gap_survey
from spikeviz.evaluation.controls.norms import reestimate_norm
from spikeviz.evaluation.controls.pruning import PruningControl, pruning_survey

__all__ = [
    "Gap",
    "PruningControl",
    "attention_gap",
    "content_gap",
    "gap_survey",
    "pruning_survey",
    "reestimate_norm",
]
