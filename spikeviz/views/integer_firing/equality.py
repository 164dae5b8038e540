"""The same network run with integers and with binary spikes alone."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from spikeviz.views.integer_firing.networks import with_membranes
from spikeviz.views.layers.names import words as in_words
from spikeviz.views.view import Figure, Item, Metrics, Note

if TYPE_CHECKING:
    from spikeviz.metrics import Equality
    from spikeviz.views.runs import Run
    from spikeviz.views.scene import Scene


def equality(scene: Scene) -> Iterator[Item]:
    """Both runs, how far their logits, membranes and integers agree, and where they diverge."""
    from spikeviz.views.integer_firing.charts import differences, equality_table

    found = compared(scene.now)
    yield Note(
        r"$W\,\frac{C}{D} + b \;=\; \frac{W}{D}\,(S_1 + S_2 + \dots + S_D) + b$, every $S_d$ binary, the bias once. "
        "Both runs are made now, through all layers to the logits.",
        "text",
    )
    neurons, spikes = int(found.layers["neurons"].sum()), int(found.layers["spikes"].sum())
    unequal = f"{found.unequal:,} differ" if found.unequal else "exact"
    yield Metrics(
        (
            ("Logits, largest |difference|", f"{found.logits:.2e}", f"{found.dtype}, all classes"),
            ("Membranes, largest |difference|", f"{found.membrane:.2e}", f"{found.dtype}, all neurons and steps"),
            ("Integers that differ", f"{found.differ:,} of {neurons:,}", "Neurons that fired another integer"),
            (
                "Integers against their spikes",
                unequal,
                "Each integer is compared with the sum of its D binary steps, which are counted one by one",
            ),
        )
    )
    if found.differ:
        yield Note(
            "The runs diverge here: a membrane lies so near to the middle between two integers that a rounding error "
            "of the floating point type decides which one is fired, and what follows differs. Neither answer is better."
        )
    names = in_words(list(found.layers["layer"]))
    rest = "" if found.differ else "; what is left is its rounding"
    yield Figure(
        differences(found.layers, names),
        f"{spikes:,} binary spikes, {neurons:,} integers. The sums are the same numbers in another order, in "
        f"{found.dtype}{rest}. One pass each: {found.milliseconds[0]:.0f} ms with integers, "
        f"{found.milliseconds[1]:.0f} ms with spikes, on a processor that gains nothing from zeros.",
        "E-SpikeFormer, Eq. 6, 7, 15-21",
        f"Largest difference of a membrane between both runs, by layer; {found.membrane:.1e} over all",
        html=partial(equality_table, found.layers, names),
    )


def compared(run: Run) -> Equality:
    """A run with integers against the same run on binary spikes."""
    from spikeviz.interventions import SpikeDriven
    from spikeviz.metrics.approximation import equality_of

    model, driven = run.model, with_membranes(run, (*run.experiment.interventions, SpikeDriven()))
    return with_membranes(run).once("equality", lambda whole: equality_of(model, whole, driven.recording))
