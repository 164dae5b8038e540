"""Who decides which page runs: `app.py`, from the first visit on. And that the server asks nobody outside."""

from __future__ import annotations

from streamlit import net_util
from streamlit.runtime.pages_manager import PagesManager

NOWHERE = "not-asked-for.invalid"


def take_over() -> bool:
    """Make Streamlit run `app.py` for every page; answers whether it did not until now.

    A folder `pages/` beside the script is also Streamlit's older kind of app, and Streamlit 1.67 takes it for that
    until `st.navigation` was called once in its process: a first visit to `/spike_maps` would get that page alone.
    """
    if not PagesManager.uses_pages_directory:
        return False
    claim()
    return True


def claim() -> None:
    """The same before any page was asked for.

    Where a page of a foreign address opens a websocket, Streamlit 1.67 compares that address with its own as the
    internet sees it, and asks a server of Amazon for it, unless it has it already. The app makes no such request.
    """
    PagesManager.uses_pages_directory = False
    net_util._external_ip = NOWHERE
