"""Who decides which page runs: `app.py`, from the first visit on."""

from __future__ import annotations

from streamlit.runtime.pages_manager import PagesManager


def take_over() -> bool:
    """Make Streamlit run `app.py` for every page; answers whether it did not until now.

    A folder `pages/` beside the script is also Streamlit's older kind of app, and Streamlit 1.67 takes it for that
    until `st.navigation` was called once in its process: a first visit to `/spike_maps` would get that page alone.
    """
    if not PagesManager.uses_pages_directory:
        return False
    PagesManager.uses_pages_directory = False
    return True


def claim() -> None:
    """The same before any page was asked for."""
    PagesManager.uses_pages_directory = False
