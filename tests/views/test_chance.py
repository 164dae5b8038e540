"""The line of guessing in charts of accuracy."""

from spikeviz.figures.chart import Chart, Line
from spikeviz.views.captions.chance import with_chance


def chart(*ends: float) -> Chart:
    return Chart("Accuracy", "ratio", "accuracy", [Line([0, 1], ends)], y_range=ends)


def test_of_ten_classes_chance_is_a_tenth():
    (rule,) = with_chance(chart(0.05, 0.9), "fashion").rules
    assert (rule.value, rule.label, rule.upright) == (0.1, "chance 0.1", False)


def test_an_axis_is_not_stretched_for_it():
    assert with_chance(chart(0.6, 0.9), "fashion").rules == ()
