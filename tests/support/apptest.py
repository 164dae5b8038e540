"""The app through Streamlit's AppTest: what a person does to a page, and what it says."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from spikeviz.paths import app_root

STATUS = re.compile(r"^[\d.]+ ms · (CPU|CUDA|MPS) · \S+=\S+( \S+=\S+)*$")


def opened(page: str, **address: str) -> AppTest:
    """A page of the app at an address, by the name of its file."""
    app = AppTest.from_file(str(app_root() / "app.py"), default_timeout=120)
    app.run()
    if page != "overview":
        app.switch_page(f"pages/{page}.py")
        app.query_params.clear()  # a browser's address names the page it shows
    for name, value in address.items():
        app.query_params[name] = value
    return sound(app.run())


def sound(app: AppTest) -> AppTest:
    """The app, if its last run ended well."""
    assert not app.exception, [e.value for e in app.exception]
    return app


def press(app: AppTest, label: str, number: int = 0) -> AppTest:
    """Click a button, the `number`-th of this label."""
    return sound([button for button in app.button if button.label == label][number].click().run())


def upload(app: AppTest, content: bytes, name: str = "mine.png") -> AppTest:
    """Bring a file."""
    return sound(app.file_uploader[0].set_value((name, content, "application/octet-stream")).run())


def slider(app: AppTest, label: str) -> Any:
    return next(s for s in app.slider if s.label == label)


def slide(app: AppTest, label: str, value: float) -> AppTest:
    """Move a slider."""
    return sound(slider(app, label).set_value(value).run())


def pills(app: AppTest, label: str) -> Any:
    """Pills, or buttons of which one is chosen."""
    return next(group for group in app.button_group if group.label == label)


def number_field(app: AppTest, label: str) -> Any:
    """A field for a number, by the beginning of its label."""
    return next(field for field in app.number_input if field.label.startswith(label))


def text_field(app: AppTest, label: str) -> Any:
    """A field for text, by the beginning of its label."""
    return next(field for field in app.text_input if field.label.startswith(label))


def status(app: AppTest) -> str:
    """The one status line of the page."""
    lines = [text.value for text in app.text if STATUS.match(text.value)]
    assert len(lines) == 1, [text.value for text in app.text]
    return lines[0]


def captions(app: AppTest) -> str:
    return " ".join(caption.value for caption in app.caption)


def words(app: AppTest) -> str:
    return " ".join(text.value for text in app.markdown)


def html(app: AppTest) -> list[str]:
    return [part.proto.body for part in app.get("html")]


def pictures(app: AppTest) -> list[str]:
    """The pixels of every map on the page."""
    return re.findall(r'src="(data:image/png[^"]+)"', " ".join(html(app)))


def charts(app: AppTest) -> list[dict[str, Any]]:
    """Every chart, as plotly is told it."""
    return [json.loads(chart.proto.spec) for chart in app.get("plotly_chart")]


def numbers(values: Any) -> np.ndarray:
    """plotly sends arrays as base64."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=np.dtype(values["dtype"]))
    return np.asarray(values)


def code(app: AppTest) -> str:
    """The Python of the page, behind Share."""
    return next(part.value for part in app.code if "import spikeviz" in part.value)


def asked(app: AppTest, name: str) -> str | None:
    """A part of the address: what a test sets is text, what the app writes a list."""
    value = app.query_params.get(name)
    return value if value is None or isinstance(value, str) else value[0]
