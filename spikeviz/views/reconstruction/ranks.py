"""The effective rank of visible tokens over several batches, beside that of networks trained at another D."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from statistics import mean, stdev
from typing import TYPE_CHECKING

from spikeviz.views.reconstruction.levels import siblings
from spikeviz.views.view import Figure, Item, Note, Over

if TYPE_CHECKING:
    from spikeviz.artifacts.cards import CheckpointCard

SOURCE = "E-SpikeFormer, sec. 5.4, Eq. 29"
Ranks = Sequence[float]  # of batches, each network's of the same ones


def over_batches(card: CheckpointCard, samples: str) -> Iterator[Item]:
    """The ranks that cards hold, batch by batch, of this network and of those that differ from it in their D alone."""
    from spikeviz.views.reconstruction.charts import ranks_chart

    trained = {d: other for d, other in (siblings(card) or {0: card}).items() if ranks_of(other)}
    if not ranks_of(card):
        yield Note(f"The card of {card.name} holds no effective ranks of several batches: `{card.command}` has them.")
        return
    own = next(d for d, other in trained.items() if other.name == card.name)
    ranks = {d: ranks_of(trained[d]) for d in (own, *(d for d in trained if d != own))}
    named = {trained[d].name: values for d, values in ranks.items()}
    about = card.measured["effective_rank"]
    each = f"{len(ranks[own])} batches of {about['samples']:,} {samples}, ratio {about['ratio']:g}"
    made = ", ".join(f"`{other.command}`" for other in trained.values())
    yield Figure(
        ranks_chart(f"Effective rank of {len(ranks[own])} batches", named),
        f"{each}, hidden patches drawn by a seed of each batch's own, the same for every network; precomputed by {made}"
        f". {spread(named)} {compared(ranks)}",
        SOURCE,
        "; ".join(f"{name} " + ", ".join(f"{value:.1f}" for value in values) for name, values in named.items()),
        "effective rank",
        over=Over(each, tuple(named)),
    )


def ranks_of(card: CheckpointCard) -> Ranks:
    """Those of several batches; none of a card that holds only one, whose error is not known."""
    found = card.measured.get("effective_rank", {}).get("ranks", ())
    return found if len(found) > 1 else ()


def spread(named: Mapping[str, Ranks]) -> str:
    """Mean and standard deviation over the batches of each network."""
    each = ", ".join(f"{name} {mean(values):.1f} ± {stdev(values):.1f}" for name, values in named.items())
    return f"Mean and standard deviation over the batches: {each}."


def compared(ranks: Mapping[int, Ranks]) -> str:
    """Binary spikes (D = 1) against integers, batch by batch, beside what the paper says; "" without both."""
    from spikeviz.evaluation.paired_survey import SURE

    if 1 not in ranks or len(ranks) < 2:
        return ""
    parts = []
    for d, values in sorted(ranks.items()):
        if d == 1:
            continue
        differences = [binary - other for binary, other in zip(ranks[1], values, strict=True)]
        by, error = mean(differences), stdev(differences) / sqrt(len(differences))
        if abs(by) <= SURE * error:
            parts.append(f"Between D = 1 and D = {d} no difference found ({by:+.1f} ± {error:.1f}).")
        elif by > 0:
            parts.append(
                f"Ours is higher for binary spikes than at D = {d}, by {by:.1f} ± {error:.1f} (paired standard error), "
                "where the paper argues that binary spikes lose dimensions."
            )
        else:
            parts.append(
                f"Ours is lower for binary spikes than at D = {d}, by {-by:.1f} ± {error:.1f} (paired standard error), "
                "as the paper argues."
            )
    return " ".join(parts) + " One training each: this error knows nothing of other trainings."
