"""Serving the app, and everything that touches a private part of Streamlit."""
