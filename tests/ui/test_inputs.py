"""The input half of a page's first row: pictures to try, test samples, and what fetches a test set that is not here."""

import io

import numpy as np
import pytest
from PIL import Image
from support.apptest import asked, captions, number_field, opened, press, sound, status, upload
from support.networks import needs

from spikeviz.ui.kit.job_panel import KEY

pytestmark = needs("mst-cifar10", "spikformer-fashion", data=False)


def labels(app) -> list[str]:
    return [field.label for field in app.number_input]


def picture() -> bytes:
    stream = io.BytesIO()
    Image.radial_gradient("L").save(stream, "PNG")
    return stream.getvalue()


def write_copy(root):
    """A JPEG copy of CIFAR-10 of ten pictures, where a download puts it."""
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), "red").save(stream, "JPEG")
    one = np.frombuffer(stream.getvalue(), np.uint8)
    (root / "cifar10").mkdir(parents=True)
    arrays = {"jpeg": np.tile(one, 10), "offsets": np.arange(11) * len(one), "labels": np.arange(10, dtype=np.uint8)}
    np.savez(root / "cifar10" / "cifar10_jpeg.npz", **{f"test_{name}": array for name, array in arrays.items()})


def test_the_test_set_is_fetched_and_used(no_data, monkeypatch):
    def fetching(name, root):
        assert (name, root) == ("cifar10-jpeg", no_data)
        yield "cifar-10-python.tar.gz", 170 * 10**6, 170 * 10**6
        write_copy(root)

    monkeypatch.setattr("spikeviz.data.download.fetching", fetching)
    app = opened("spike_maps", checkpoint="mst-cifar10")
    assert "Test image" not in labels(app) and asked(app, "input") == "picture-cat"
    assert f"It would go into {no_data}" in captions(app)
    press(app, "Download (170 MB)")
    assert all(job.wait(20) for job in app.session_state[KEY].jobs.values())
    sound(app.run())
    assert number_field(app, "Test image").value is None and not [b for b in app.button if "Download (" in b.label]
    sound(number_field(app, "Test image").set_value(4).run())
    assert asked(app, "input") == "4" and not app.error and status(app)


@pytest.mark.usefixtures("no_data")
def test_no_network_is_a_sentence(monkeypatch):
    monkeypatch.setattr("torchvision.datasets.CIFAR10.url", "http://127.0.0.1:9/")
    app = press(opened("spike_maps", checkpoint="mst-cifar10"), "Download (170 MB)")
    assert all(job.wait(20) for job in app.session_state[KEY].jobs.values())
    sound(app.run())
    assert app.error[0].value.startswith("cifar10-jpeg could not be downloaded (no network?)")
    assert asked(app, "input") == "picture-cat" and status(app)


def test_the_number_is_empty_while_another_input_is_shown():
    app = opened("spike_maps", input="5")
    assert number_field(app, "Test image").value == 5
    press(app, "cat")
    assert number_field(app, "Test image").value is None and asked(app, "input") == "picture-cat"
    assert "This network knows only ten kinds of clothing: T-shirt/top, " in captions(app)
    press(app, "›")
    assert number_field(app, "Test image").value == 0 and "knows only" not in captions(app)
    upload(app, picture())
    assert number_field(app, "Test image").value is None and "knows only ten kinds of clothing" in captions(app)
    press(app, "Random")
    assert number_field(app, "Test image").value is not None and asked(app, "input").isdigit()
    sound(number_field(app, "Test image").set_value(None).run())
    assert number_field(app, "Test image").value == int(asked(app, "input"))  # an emptied field chooses nothing
