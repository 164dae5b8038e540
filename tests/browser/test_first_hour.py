"""What a new user meets on a machine without data that belongs to no page alone: speed, links, words."""

from __future__ import annotations

import re

import pytest
from support.visits import SIZES, settle


@pytest.mark.parametrize("width", SIZES)
def test_a_measured_speed_can_be_cancelled(visit, bare, width):
    page = visit("channel_masks", width, query="?dmeb_part=cost", address=bare)
    page.get_by_role("button", name="Measure", exact=True).click()
    page.get_by_text(re.compile(r"\d rounds? in turns, batches of")).wait_for(timeout=120_000)
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text(re.compile("^Cancelled after")).wait_for(timeout=60_000)
    assert page.locator("[data-testid='stAlertContentError']").count() == 0


@pytest.mark.parametrize("width", SIZES)
def test_the_start_page_leads_to_every_page(visit, bare, width):
    page = visit("overview", width, address=bare)
    links = page.locator("[data-testid='stMain'] [data-testid='stPageLink'] a")
    assert links.count() == 6
    links.last.click()
    page.get_by_role("heading", name="Events").wait_for()
    settle(page)
    assert page.complaints == []


@pytest.mark.parametrize("width", SIZES)
def test_no_count_of_one_has_many(visit, bare, width):
    page = visit("integer_firing", width, query="?sfa_part=cost", address=bare)
    words = page.locator("[data-testid='stMain']").inner_text()
    assert not re.search(r"\b1 (steps|threads|channels|epochs|seeds|images|rounds|events|spikes)\b", words)
    broken = page.evaluate(
        "() => [...document.querySelectorAll('td:first-child')].filter(e => e.firstChild && "
        "[...e.innerText.split(/\\s+/)].some(w => { const r = document.createRange(), n = e.firstChild, "
        "i = n.data ? n.data.indexOf(w) : -1; if (i < 0) return false; r.setStart(n, i); r.setEnd(n, i + w.length); "
        "return r.getClientRects().length > 1; })).map(e => e.innerText)"
    )
    assert broken == []  # no word of a table is broken in two
