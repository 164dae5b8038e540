"""The app's router: `spikeviz` serves it, and so does `streamlit run app.py`."""

import streamlit as st

from spikeviz import __version__
from spikeviz.ui.server import addresses, sign_in
from spikeviz.ui.server.style import STYLE

st.set_page_config(page_title="spikeviz", page_icon="⚡", layout="wide", initial_sidebar_state=210)
st.html(STYLE)
signed_in = sign_in.require()
st.sidebar.caption(f"spikeviz {__version__} {addresses.about(signed_in)}")
st.navigation(
    {
        "Start": [st.Page("pages/overview.py", title="Overview", default=True)],
        "Explore": [
            st.Page("pages/spike_maps.py", title="Spike maps"),
            st.Page("pages/channel_masks.py", title="Channel masks"),
            st.Page("pages/random_masks.py", title="Random masks"),
            st.Page("pages/integer_firing.py", title="Integer firing"),
            st.Page("pages/reconstruction.py", title="Reconstruction"),
            st.Page("pages/events.py", title="Events"),
        ],
    }
).run()
