"""What is taken along of a page: the report and the files say what the page shows, and lead back to it."""

import re
from html import unescape
from pathlib import Path

import pytest
from support.visits import drawn, settle, slider, status


def settings(page) -> str:
    """The status line without the milliseconds, which differ from run to run."""
    return status(page).partition(" · ")[2]


def downloaded(page, button: str) -> Path:
    with page.expect_download(timeout=120_000) as download:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(download.value.path())


def report_of(page) -> tuple[dict[str, str], str]:
    """What the report of a page lists, and the whole of it."""
    page.get_by_role("button", name="Share").click()
    text = downloaded(page, "Report of this page (HTML)").read_text(encoding="utf-8")
    page.keyboard.press("Escape")
    entries = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", text)
    return {name: unescape(re.sub(r"<[^>]+>", "", value)) for name, value in entries}, text


def compared(page, address: str, file: str) -> dict[str, str]:
    """The report of a page says what the page says."""
    facts, text = report_of(page)
    body = page.locator("[data-testid='stMain']").inner_text()
    assert facts["settings"] in status(page) and facts["settings"]
    assert facts["link"].startswith(f"{address}/{file}?"), facts["link"]
    network = re.search(r"checkpoint=([\w-]+)", page.url)[1]
    assert facts["network"].startswith(f"{network}: ") and f"checkpoint={network}" in facts["link"]
    assert re.fullmatch(r"[0-9a-f]{64}", facts["sha256"])
    title = re.match(r"test (image|recording) \d+", facts["input"])[0]
    side = "B: " if "compared with (A)" in facts else ""  # random masks shows a network beside its own
    assert f'<b style="font-weight:600">{side}{title}' in text and "data:image/png;base64," in text
    answer = facts.get("prediction") or facts["prediction (B)"]
    if file != "reconstruction":
        assert re.fullmatch(r".+ \d+% · it is: .+", answer)
        assert " ".join(answer.split()) in " ".join(body.split())
    else:
        error = re.search(r"MSE ([0-9.]+)", answer)[1]
        assert error in body
    return facts


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize(
    "file", ["spike_maps", "channel_masks", "random_masks", "integer_firing", "reconstruction", "events"]
)
def test_a_report_says_what_its_page_says_and_leads_back(visit, bare, file, width):
    page = visit(file, address=bare, width=width)
    facts = compared(page, bare, file)
    there = visit(file, address=bare, query=f"?{facts['link'].partition('?')[2]}")
    assert settings(there) == settings(page) and not page.complaints and not there.complaints


def test_a_report_follows_network_slider_input_and_page(visit, bare):
    page = visit("spike_maps", address=bare, query="?input=3")
    slider(page, "T").press("ArrowLeft")
    drawn(page, "T=3")
    settle(page)
    facts = compared(page, bare, "spike_maps")
    assert facts["settings"].startswith("T=3 ") and "maps_T=3" in facts["link"] and "image 3 " in facts["input"]
    there = visit("spike_maps", address=bare, query=f"?{facts['link'].partition('?')[2]}")
    assert settings(there) == settings(page)
    page.get_by_test_id("stSidebarNavLink").filter(has_text="Random masks").click()
    page.get_by_text("ratio=").first.wait_for(timeout=60_000)
    settle(page)
    assert compared(page, bare, "random_masks")["page"] == "Random masks"


def test_a_report_shows_what_is_compared(visit, bare):
    page = visit("spike_maps", address=bare, query="?input=3&maps_T=2&maps_A=input:1,T:4")
    facts, _ = report_of(page)
    assert "test image 1, T=4" in facts["compared with (A)"] and facts["settings"].startswith("T=2 ")
    assert {"prediction (A)", "prediction (B)"} <= facts.keys() and "maps_A=input:1" in facts["link"]
