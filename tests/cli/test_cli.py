"""The command line says what it did, and one sentence where it could not."""

import re

import pytest

import spikeviz as sv
from spikeviz.cli import main


def test_models_lists_every_model_and_checkpoint(capsys):
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    for spec in sv.list_models():
        assert re.search(rf"^{re.escape(spec.name)} +{spec.params:,} ", out, re.M)
    for card in sv.list_checkpoints():
        assert re.search(rf"^{re.escape(card.name)} ", out, re.M)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate", "nope"], "no checkpoint 'nope'"),
        (["train", "nope"], "no recipe 'nope'"),
        (["train", "smoke", "--device", "tpu"], "no device"),
        (["evaluate", "spikformer-fashion", "--limit", "0"], "limit"),
    ],
)
def test_one_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("spikeviz: ") and sentence in error


def test_full_set_is_asked_for(capsys, tmp_path, monkeypatch):
    """Without the 60,000 images the recipe says how to get them, and trains on nothing else."""
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    assert main(["train", "spikformer-fashion", "--folder", str(tmp_path / "run")]) == 2
    assert "SPIKEVIZ_DATA" in capsys.readouterr().err


def test_evaluate_prints_the_accuracy(capsys):
    assert main(["evaluate", "spikformer-fashion", "--limit", "50", "--device", "cpu"]) == 0
    assert re.search(r"spikformer-fashion: 0\.\d{4} on 50 test samples of fashion", capsys.readouterr().out)
