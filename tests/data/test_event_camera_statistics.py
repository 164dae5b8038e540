"""The event camera: how fast it is, and how like N-MNIST its events are."""

import math
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from support.event_camera import fashion, where

from spikeviz.data import event_camera as dvs
from spikeviz.data.event_camera import events_of, frames_of
from spikeviz.paths import data_folders


def digits(n):
    """Turned digits [n, 28, 28], light on black, about as bright as MNIST's (mean .10, MNIST's is .13)."""
    draw, font = np.random.default_rng(0), ImageFont.load_default(25)
    pictures = np.empty((n, 28, 28), np.float32)
    for i in range(n):
        sheet = Image.new("L", (28, 28))
        ImageDraw.Draw(sheet).text((14, 14), str(i % 10), font=font, fill=255, anchor="mm")
        pictures[i] = np.asarray(sheet.rotate(draw.uniform(-15, 15), Image.Resampling.BILINEAR), np.float32) / 255
    return pictures


@pytest.mark.parametrize("function", [events_of, frames_of])
def test_speed(function, capsys):
    pictures, best = fashion(160), math.inf
    for _ in range(3):
        start = time.thread_time()
        function(pictures)
        best = min(best, time.thread_time() - start)
    with capsys.disabled():
        print(f"\n{function.__name__}: {160 / best:.0f} recordings of 34 x 34 per second of one core")
    assert 160 / best > 200


def real_recordings():
    for folder in data_folders():
        for place in (folder / "nmnist/NMNIST", folder / "NMNIST"):
            files = sorted(place.glob("Test/*/*.bin")) or sorted(place.glob("Train/*/*.bin"))[::10]
            if files:
                return [read_nmnist(path) for path in files[:100]]
    pytest.skip("N-MNIST is not in SPIKEVIZ_DATA")


def read_nmnist(path):
    """t, x, y, p of a file of N-MNIST: 5 bytes an event, x (8 bits), y (8), p (1), t (23), big endian."""
    x, y, high, middle, low = np.frombuffer(path.read_bytes(), np.uint8).reshape(-1, 5).astype(np.int64).T
    return dvs.SimulatedEvents((high & 127) << 16 | middle << 8 | low, x, y, high >> 7, 34, 34)


def statistics(sent):
    """Events per recording, ON share, milliseconds, share of pixels that send, median milliseconds between events."""
    between = []
    for e in sent:
        order = np.lexsort((e.t, where([e])))
        between.append(np.diff(e.t[order])[np.diff(where([e])[order]) == 0])
    return {
        "events": np.mean([len(e.t) for e in sent]),
        "on": np.mean([e.p.mean() for e in sent]),
        "milliseconds": np.mean([e.t[-1] for e in sent]) / 1000,
        "active": np.mean([len(np.unique(where([e]))) for e in sent]) / 34**2,
        "interval": np.median(np.concatenate(between)) / 1000,
    }


def test_statistics_are_near_those_of_nmnist(capsys):
    real = statistics(real_recordings())
    simulated, clothes = statistics(events_of(digits(100))), statistics(events_of(fashion(100)))
    with capsys.disabled():
        for name, values in (
            ("N-MNIST", real),
            ("digits, simulated", simulated),
            ("Fashion-MNIST, simulated", clothes),
        ):
            print(f"\n{name:26}" + "  ".join(f"{key} {value:.4g}" for key, value in values.items()), end="")
        print()
    assert 3_000 < simulated["events"] < 5_000
    assert simulated["events"] == pytest.approx(real["events"], rel=0.3)
    assert simulated["on"] == pytest.approx(real["on"], abs=0.05)
    assert simulated["milliseconds"] == pytest.approx(real["milliseconds"], rel=0.05)
    assert simulated["active"] == pytest.approx(real["active"], rel=0.3)
    assert simulated["interval"] == pytest.approx(real["interval"], rel=0.3)
    assert 3_000 < clothes["events"] < 8_000 and clothes["on"] == pytest.approx(0.5, abs=0.05)
