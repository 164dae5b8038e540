"""Other ways to drop as many channels: what the study measures, and what it says of it."""

import pytest
import torch
from support.networks import needs
from support.scenes import items_of, scene_of

from spikeviz.evaluation.controls import PruningControl
from spikeviz.evaluation.controls.pruning import LEARNED, NONE, SMALLEST, TRAINED_AS
from spikeviz.views.channel_masks import PAGE, baselines
from spikeviz.views.view import Note, Progress, Study

pytestmark = needs("sdmformer-fashion-dvs")
DONE = Progress(1, 1, 2.0, True)


def control(**right: list[int]) -> PruningControl:
    names = {"trained": TRAINED_AS, "learned": LEARNED, "smallest": SMALLEST, "none": NONE}
    whole = {names.get(key, key.replace("_", " ")): torch.tensor(own).bool() for key, own in right.items()}
    return PruningControl(whole, {"blocks.0.mlp.mask": 7})


def test_verdicts_are_outside_two_errors():
    """30 of 40 more right: far outside; one of 40: an error of one sample."""
    right, wrong = [1] * 40, [1] * 10 + [0] * 30
    found = control(learned=right, smallest=[0, *right[1:]], none=wrong, random_1=wrong, random_2=[0] * 40)
    said = baselines.verdicts(found)
    assert "smallest weights dropped: no difference found (+2.5 ± 2.5 points)" in said
    assert "(threshold 1): better (+75.0" in said and "2 random draws (mean): better (+87.5" in said
    assert "worse" in baselines.verdicts(control(learned=wrong, smallest=right))


def test_the_figure_shows_errors_and_draws():
    scene = scene_of(PAGE)
    found = control(
        trained=[1, 1, 1, 0], learned=[1, 1, 1, 1], smallest=[1, 1, 0, 0], random_1=[1, 0, 0, 0], random_2=[1, 1, 1, 0]
    )
    (figure,) = baselines._found(scene.now, found, DONE)
    table = figure.chart.table().set_index("dropped")
    assert table.loc["random channels", "accuracy"] == 0.5 and table.loc["random channels", "draws"] == 2
    assert table.loc["random channels", "deviation"] == pytest.approx(0.5 / 2**0.5)
    assert table.loc[LEARNED, "error"] == 0 and "2 draws" in figure.html()
    assert "channels dropped" in figure.notice


def test_it_is_offered_where_something_is_dropped(monkeypatch):
    monkeypatch.setattr(baselines, "SAMPLES", 8)
    (study,) = (item for item in items_of(baselines.baselines(scene_of(PAGE))) if isinstance(item, Study))
    done, first = next(iter(study.work()))
    assert study.total == 14 * 8 and done == 8 and list(first.right) == [TRAINED_AS]
    (early,) = study.figures(first, DONE)
    assert isinstance(early, Note)
    (note,) = items_of(baselines.baselines(scene_of(PAGE, dmeb_threshold="0")))
    assert "no channel is dropped" in note.text
