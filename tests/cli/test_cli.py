"""The command line: what it did as text and as JSON, one sentence where it could not, and its exit status."""

import json
import logging
import re
import subprocess
import sys
import zipfile

import pytest

import spikeviz as sv
from spikeviz.artifacts.cards import find_card
from spikeviz.cli import COMMANDS, main, parser
from spikeviz.paths import app_root, assets


def answered(capsys, *arguments):
    """The JSON of a command that worked."""
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_models_lists_every_model_and_checkpoint(capsys):
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    for spec in sv.list_models():
        assert re.search(rf"^{re.escape(spec.name)} +{spec.params:,} ", out, re.M)
    for card in sv.list_checkpoints():
        assert re.search(rf"^{re.escape(card.name)} ", out, re.M)
    found = answered(capsys, "models")
    assert [m["name"] for m in found["models"]] == [spec.name for spec in sv.list_models()]
    assert {c["name"]: c["accuracy"] for c in found["checkpoints"]} == {
        card.name: card.accuracy for card in sv.list_checkpoints()
    }


def test_what_writes_a_pdf_says_nothing_of_its_glyphs():
    """Loggers of every part of fontTools take their level from the one above them."""
    main(["models"])
    assert not logging.getLogger("fontTools.subset").isEnabledFor(logging.INFO)
    assert logging.getLogger("fontTools.subset").isEnabledFor(logging.WARNING)


def test_the_columns_of_models_stand_below_each_other(capsys):
    main(["models"])
    first = capsys.readouterr().out.split("\n\n")[0].splitlines()
    ends = {re.match(r"\S+ +[\d,]+|\S+ +parameters", line).end() for line in first}
    assert len(ends) == 1


def test_the_document_of_checkpoints_is_that_of_the_cards(capsys):
    assert main(["models", "--markdown"]) == 0
    assert capsys.readouterr().out == (app_root() / "docs" / "checkpoints.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate", "nope"], "no checkpoint 'nope'"),
        (["train", "nope"], "no recipe 'nope'"),
        (["train", "smoke", "--device", "tpu"], "no device"),
        (["evaluate", "spikformer-fashion", "--limit", "0"], "limit"),
        (["publish", "nope"], "no checkpoint 'nope'"),
        (["publish", "spikformer-fashion"], "is published already"),
        (
            ["publish", "spikformer-fashion", "--with", "film"],
            "--with takes costs, curves, energy, errors, firing, gaps, recording, not film",
        ),
        (["publish", "spike-mae-cifar", "--with", "curves"], "is an autoencoder: there is no curve of its accuracy"),
        (["publish", "."], "holds no finished run"),
        (["figures", "nope", "--out", "f"], "no page 'nope'"),
        (["figures", "spike_maps", "--preset", "nope", "--out", "f"], "has no preset 'nope'; there are fig8"),
        (["figures", "spike_maps", "--tab", "nope", "--out", "f"], "has no tab 'nope'"),
        (["figures", "spike_maps", "--url", "?maps_T=99", "--out", "f"], "maps_T=99, which does not work here"),
        (["figures", "spike_maps", "--url", "?checkpoint=spike-mae-cifar", "--out", "f"], "is an autoencoder"),
        (["figures", "spike_maps", "--out", "f", "--format", "gif"], "--format takes png"),
        (["report", "spike_maps", "--url", "?input=zz", "--out", "r.html"], "a test image is a number"),
        (["data", "get"], "name the data set"),
        (["data", "get", "nope"], "no data set is called"),
        (["prune", "spikformer-fashion"], "no channel masks"),
        (["export", "nope"], "no checkpoint 'nope'"),
        (["import", "nope.zip"], "nope.zip"),
    ],
)
def test_one_sentence(arguments, sentence, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    told = capsys.readouterr()
    error = told.err.strip().splitlines()[-1]
    assert error.startswith("spikeviz: ") and sentence in error and not told.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does_with_examples(command, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0 and f"  spikeviz {command}" in out.partition("examples:")[2] and "--json" in out


def test_every_example_is_a_command_that_exists():
    for command in COMMANDS:
        with pytest.raises(SystemExit):
            parser().parse_args([command, "--nonsense"])
    shown = [line for text in _examples() for line in text.splitlines() if line.startswith("  spikeviz ")]
    assert len(shown) > len(COMMANDS)
    for line in shown:
        words = line.split(">")[0].split()
        parser().parse_args([word.strip('"') for word in words[1:]])


def _examples():
    from importlib import import_module

    for command in COMMANDS:
        module = import_module(
            f"spikeviz.cli.{command}_checkpoint" if command == "import" else f"spikeviz.cli.{command}"
        )
        yield module.__doc__.partition("Examples:\n")[2]


def test_full_set_is_asked_for(capsys, tmp_path, monkeypatch):
    """Without the 60,000 images the recipe says how to get them, and trains on nothing else."""
    monkeypatch.setenv("SPIKEVIZ_DATA", str(tmp_path))
    assert main(["train", "spikformer-fashion", "--folder", str(tmp_path / "run")]) == 2
    assert "SPIKEVIZ_DATA" in capsys.readouterr().err


def test_val_is_measured_where_it_is_asked_for(capsys):
    found = answered(capsys, "evaluate", "spikformer-fashion", "--split", "val", "--limit", "40", "--device", "cpu")
    assert (found["split"], found["samples"], found["protocol"]) == ("val", 40, "the test set had a say")
    p = found["accuracy"]
    assert found["standard_error"] == pytest.approx((p * (1 - p) / 40) ** 0.5) and found["card"] is None
    assert main(["evaluate", "spikformer-fashion", "--split", "val", "--limit", "20", "--device", "cpu"]) == 0
    said = capsys.readouterr().out
    assert " ± " in said and "20 val samples" in said and "may have been trained on val" in said


def test_models_say_error_and_protocol(capsys):
    rows = answered(capsys, "models")["checkpoints"]
    for row in rows:
        card = find_card(row["name"])[0]
        assert row["protocol"] == card.protocol and row["standard_error"] == card.error
    assert main(["models"]) == 0
    assert "the test set had a say" in capsys.readouterr().out.splitlines()[-1]


def test_evaluate_measures_and_writes_nothing(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = answered(capsys, "evaluate", "spikformer-fashion", "--limit", "50", "--device", "cpu")
    assert found["samples"] == 50 and 0.8 < found["accuracy"] <= 1
    assert found["standard_error"] == pytest.approx((found["accuracy"] * (1 - found["accuracy"]) / 50) ** 0.5)
    assert not list(tmp_path.iterdir())
    assert main(["evaluate", "spikformer-fashion", "--limit", "50", "--device", "cpu"]) == 0
    assert re.search(r"spikformer-fashion: 0\.\d{4} ± .* on 50 test samples of fashion", capsys.readouterr().out)


def test_less_than_the_card_says_is_status_one(capsys, monkeypatch):
    monkeypatch.setattr("spikeviz.evaluation.accuracy", lambda *_, **__: (0.5, 10_000))
    assert main(["evaluate", "spikformer-fashion", "--json", "--device", "cpu"]) == 1
    assert json.loads(capsys.readouterr().out)["accuracy"] == 0.5


def test_a_reader_who_leaves_is_no_error():
    script = "from spikeviz.cli import main; import sys; sys.exit(main(['models']))"
    run = subprocess.run(
        f'{sys.executable} -c "{script}" | head -1', shell=True, capture_output=True, text=True, timeout=60
    )
    assert run.stdout.startswith("model") and "Traceback" not in run.stderr


# ---- figures and reports, in a process in which Streamlit cannot be imported

WITHOUT = "import sys; sys.modules['streamlit'] = None; from spikeviz.cli import main; sys.exit(main(sys.argv[1:]))"


def without_streamlit(*arguments):
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT, *arguments, "--json"], capture_output=True, text=True, timeout=240
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_figures_are_written_in_every_format(tmp_path):
    found = without_streamlit(
        "figures",
        "spike_maps",
        "--url",
        "?maps_T=2&maps_layer=blocks.0.attn.q",
        "--out",
        str(tmp_path),
        "--format",
        "svg,pdf,png,csv,npz",
    )
    starts = {"svg": b"<?xml", "pdf": b"%PDF", "png": b"\x89PNG", "npz": b"PK"}
    names = {one["title"] for one in found}
    assert {"Spike maps · block 0, attention, query", "Network spike firing rate"} <= names
    for one in found:
        assert len(one["files"]) == 5 and one["notice"]
        for file in one["files"]:
            content = (tmp_path / file.rpartition("/")[2]).read_bytes()
            assert content.startswith(starts.get(file.rpartition(".")[2], b"")) and content
    rates = next(one["files"] for one in found if one["title"] == "Network spike firing rate")
    lines = (tmp_path / next(f for f in rates if f.endswith("csv")).rpartition("/")[2]).read_text().splitlines()
    told, lines = [line for line in lines if line.startswith("# ")], [line for line in lines if line[:2] != "# "]
    assert any(line.startswith("# command: spikeviz figures spike_maps --url") for line in told)
    x, _ = sv.load_data("fashion", limit=1)
    two = sv.simulate(sv.load("spikformer-fashion"), x, sv.interventions.TimeSteps(2))
    assert [float(line.split(",")[1]) for line in lines[1:]] == pytest.approx(sv.metrics.nsfr(two).tolist())


def test_a_report_is_one_file_that_names_its_command(tmp_path):
    file = tmp_path / "report.html"
    without_streamlit("report", "spike_maps", "--preset", "one-step", "--out", str(file))
    text = file.read_text()
    assert "spikformer-fashion" in text and "spikeviz report spike_maps --url" in text and "maps_T=1" in text
    assert not re.search(r'(src|href)="https?:', text)


def test_evaluate_needs_no_streamlit():
    assert without_streamlit("evaluate", "spikformer-fashion", "--limit", "20")["samples"] == 20


# ---- checkpoints out and in


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A folder of checkpoints of one's own."""
    folder = tmp_path / "own"
    for room in ("artifacts.cards", "artifacts.archive"):
        monkeypatch.setattr(f"spikeviz.{room}.user_checkpoints", lambda: folder)
    return folder


def packed(tmp_path, capsys, **changes):
    """A zip of a shipped checkpoint under another name, with some values of its card changed."""
    main(["export", "spikformer-v2-fashion-scratch", "--out", str(tmp_path / "a.zip")])
    with zipfile.ZipFile(tmp_path / "a.zip") as file:
        weights, card = (next(file.read(n) for n in file.namelist() if n.endswith(e)) for e in ("tensors", "json"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("mine.json", json.dumps(json.loads(card) | {"name": "mine"} | changes))
        file.writestr("mine.safetensors", weights)
    capsys.readouterr()
    return str(tmp_path / "b.zip")


def test_a_checkpoint_goes_out_and_comes_in(own, tmp_path, capsys):
    assert answered(capsys, "import", packed(tmp_path, capsys))["name"] == "mine"
    assert "mine" in {card.name for card in sv.list_checkpoints()}
    x, _ = sv.load_data("fashion", limit=2)
    same = [sv.simulate(sv.load(n), x, keep="").output for n in ("mine", "spikformer-v2-fashion-scratch")]
    assert same[0].equal(same[1])
    assert main(["import", str(tmp_path / "b.zip")]) == 2
    assert "there is a checkpoint mine already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"sha256": "0"}, "sha256 differs"),
        ({"model": "spikformer-4-384"}, "does not fit"),
        ({"name": "you"}, "must hold"),
    ],
)
def test_what_is_no_checkpoint_leaves_nothing_behind(own, tmp_path, capsys, changes, sentence):
    assert main(["import", packed(tmp_path, capsys, **changes)]) == 2
    assert sentence in capsys.readouterr().err
    assert not own.exists() or not list(own.iterdir())


@pytest.mark.parametrize("names", [["../a.json", "../a.safetensors"], ["a.json"], ["a.json", "b.safetensors"], []])
def test_other_zip_files_are_refused(own, tmp_path, capsys, names):
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as file:
        for name in names:
            file.writestr(name, "{}")
    assert main(["import", str(tmp_path / "c.zip")]) == 2
    assert "this is no checkpoint" in capsys.readouterr().err


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Where a user keeps things, of spikeviz as an installed package."""
    monkeypatch.setattr("spikeviz.paths.is_installed", lambda: True)
    monkeypatch.setattr("spikeviz.paths.user_checkpoints", lambda: tmp_path / "checkpoints")
    monkeypatch.setattr("spikeviz.evaluation.firing.is_installed", lambda: True)
    return tmp_path


def files_of(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_the_recording_of_the_start_page_can_be_made_again(installed):
    """The same, beside what a user keeps: an installed package is not written to."""
    from spikeviz.artifacts.packed_spikes import find_packed

    shipped, before = find_packed("spikformer-fashion"), files_of(assets())
    assert main(["publish", "spikformer-fashion", "--with", "recording"]) == 0
    again = find_packed("spikformer-fashion")
    assert files_of(assets()) == before and list(files_of(installed)) == [
        installed / "recordings/spikformer-fashion.npz"
    ]
    assert again.facts["milliseconds"] != shipped.facts["milliseconds"]  # the user's is found first
    same = ("status_text", "title", "label", "classes", "command", "sha256", "source", "steps")
    assert {k: again.facts[k] for k in same} == {k: shipped.facts[k] for k in same}
    assert again.facts["logits"] == pytest.approx(shipped.facts["logits"], abs=1e-4)
    spikes = [sum(layer.count for layer in p.layers.values()) for p in (shipped, again)]
    assert spikes[0] == pytest.approx(spikes[1], rel=1e-3)


def test_the_card_of_an_installed_package_is_not_written_to(installed, capsys):
    before = files_of(assets())
    for what in ("firing", "costs"):
        assert main(["publish", "spikformer-fashion", "--with", what]) == 2
    assert "installed package" in capsys.readouterr().err and files_of(assets()) == before
