"""The app in a real browser: every page, wide and narrow, light and dark, and a slider that changes the picture."""

from __future__ import annotations

import re

import pytest

from spikeviz.places import house

PAGES = sorted(path.stem for path in (house() / "pages").glob("*.py"))
SIZES = {1280: 800, 390: 844}
STATUS = re.compile(r"^\d+ ms · (CPU|CUDA|MPS) · ")


@pytest.fixture
def visit(browser, address):
    """Opens pages and keeps what the browser complained about."""
    contexts = []

    def visit(name: str, width: int = 1280, theme: str = "light", query: str = "", address: str = address):
        context = browser.new_context(viewport={"width": width, "height": SIZES[width]}, color_scheme=theme)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda m: complains(m) and page.complaints.append(f"{m.text} {m.location['url']}"))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on("request", lambda r: own(r.url, address) or page.complaints.append(f"foreign request {r.url}"))
        page.goto(f"{address}/{'' if name == 'overview' else name}{query}")
        page.get_by_text(STATUS).first.wait_for(timeout=120_000)
        settle(page)
        return page

    yield visit
    for context in contexts:
        context.close()


def complains(message) -> bool:
    """Whether a console message is an error of ours: Streamlit itself asks for its base below a deep link first."""
    searching = re.search(r"/\w+/_stcore/(health|host-config)$", message.location["url"])
    return message.type == "error" and not (searching and "404" in message.text)


def own(url: str, address: str) -> bool:
    return url.startswith((address, address.replace("http", "ws", 1), "data:", "blob:"))


def settle(page) -> None:
    for _ in range(3):  # a run that has not begun yet also looks like one that has ended
        page.wait_for_selector("[data-testid='stApp'][data-test-script-state='notRunning']", timeout=120_000)
        page.wait_for_timeout(300)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", SIZES)
@pytest.mark.parametrize("name", PAGES)
def test_page(visit, name, width, theme):
    page = visit(name, width, theme)
    assert page.locator("[data-testid='stException'], [data-testid='stAlertContentError']").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 1
    main = page.locator("[data-testid='stMain']")
    assert main.evaluate("e => e.scrollWidth - e.clientWidth") <= 1
    assert page.locator("img:not([alt]), img[alt='']").count() == 0
    assert page.complaints == []


def test_a_first_visit_by_a_deep_link_gets_the_whole_app(visit, fresh_address):
    page = visit("spike_maps", query="?maps_T=2", address=fresh_address)
    assert "T=2" in page.get_by_text(STATUS).first.inner_text()
    assert page.locator("[data-testid='stSidebarNav']").inner_text().split()[:2] == ["Start", "Overview"]
    assert page.get_by_role("dialog").count() == 0
    assert page.complaints == []


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_one_click_away(visit, name):
    page = visit("overview")
    link = page.locator("[data-testid='stSidebarNav']").get_by_role("link", name=name.replace("_", " ").capitalize())
    link.click()
    page.get_by_text(STATUS).first.wait_for()
    settle(page)
    assert page.locator("[data-testid='stException']").count() == 0
    assert page.complaints == []


@pytest.mark.parametrize("width", SIZES)
def test_the_picture_comes_first(visit, width):
    """Above the fold on a wide screen, before its controls on a narrow one."""
    page = visit("spike_maps", width)
    box = page.locator(".st-key-viewer img").nth(1).bounding_box()
    assert box["y"] + box["height"] < SIZES[width]
    slider = page.get_by_role("group", name="T", exact=True).bounding_box()
    assert (slider["y"] < box["y"]) == (width == 1280)


@pytest.mark.parametrize(
    ("label", "key", "said"), [("T", "ArrowLeft", "T=3"), ("Firing threshold", "ArrowRight", "threshold=1.05"),
                               ("tau", "ArrowRight", "tau=2.10")],
)  # fmt: skip
def test_a_slider_changes_the_picture(visit, label, key, said):
    page = visit("spike_maps")
    line, last = page.get_by_text(STATUS).first, page.locator(".st-key-viewer img").last
    before, text = last.screenshot(), line.inner_text()
    page.get_by_role("group", name=label, exact=True).get_by_role("slider").press(key)
    page.get_by_text(said).first.wait_for(timeout=30_000)
    settle(page)
    assert last.screenshot() != before
    assert line.inner_text() != text and "\n" not in line.inner_text()
    name = {"T": "maps_T=3", "Firing threshold": "maps_threshold=1.05", "tau": "maps_tau=2.10"}[label]
    assert name in page.url
    assert page.complaints == []


def test_an_address_opens_the_same_picture(visit):
    page = visit("spike_maps", query="?maps_T=2&maps_threshold=0.60&input=3")
    again = visit("spike_maps", query=page.url[page.url.index("?") :])
    for shown in (page, again):
        assert "T=2 threshold=0.60 tau=2.00" in shown.get_by_text(STATUS).first.inner_text()
    first, second = (p.locator(".st-key-viewer").first.screenshot() for p in (page, again))
    assert first == second


def test_a_bad_address_says_so(visit):
    page = visit("spike_maps", query="?maps_T=99")
    assert "maps_T=99" in page.get_by_role("alert").first.inner_text()
    assert "T=4" in page.get_by_text(STATUS).first.inner_text()


def test_a_file_that_is_no_picture(visit):
    page = visit("spike_maps")
    page.get_by_role("button", name="Upload").first.click()
    chooser = page.locator("input[type=file]").first
    chooser.set_input_files({"name": "notes.png", "mimeType": "image/png", "buffer": b"not a picture"})
    page.get_by_text("not a picture in a format").first.wait_for(timeout=30_000)
    assert page.locator(".st-key-viewer img").count() == 6  # the input, four steps, their mean
