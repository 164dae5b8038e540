"""The list of networks and the card of the one that is shown, on every page."""

import pytest
from support.apptest import captions, html, opened, press, sound, status
from support.networks import needs, pages

import spikeviz as sv
from spikeviz.views.networks.words import full_name, list_entry, whole_test_set

CARDS = {card.name: card for card in sv.list_checkpoints()}


def network(app):
    return next(box for box in app.selectbox if box.label == "Network")


def test_the_list_is_in_words_and_takes_a_checkpoint_by_its_name():
    app = opened("spike_maps")
    box = network(app)
    assert box.options == [list_entry(CARDS[name]) for name in CARDS if CARDS[name].classifies]
    sound(box.set_value("e-spikeformer-fashion-sfa2").run())
    assert network(app).value == "e-spikeformer-fashion-sfa2" and "T=1" in status(app)


@pytest.mark.parametrize("page", pages())
def test_the_card_is_on_every_page(page):
    app = opened(page)
    card = CARDS[network(app).value]
    assert full_name(card) in captions(app)
    shown = " ".join(html(app))
    assert card.sha256 in shown and f"{card.parameters:,}" in shown and card.command in shown
    if card.classifies:
        assert whole_test_set(card) in captions(app) and f"{card.accuracy:.4f}" in shown


@needs("e-spikeformer-fashion-sfa2")
def test_a_and_b_are_named_in_words():
    app = opened("spike_maps")
    press(app, "Hold as A")
    sound(network(app).set_value("e-spikeformer-fashion-sfa2").run())
    assert "A: Spikformer on Fashion-MNIST" in captions(app)
    assert "B: E-SpikeFormer, D = 2, on Fashion-MNIST" in captions(app)
