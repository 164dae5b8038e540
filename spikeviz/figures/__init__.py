"""Figures: numbers in, a figure as a value out; `screen` draws it by plotly, `paper` by matplotlib, `maps` as HTML."""
