"""Figures: numbers in, a figure as a value out.

`render_plotly` draws it for the screen, `render_matplotlib` for print, `render_html` makes maps HTML.
"""

FORMATS = ("png", "svg", "pdf", "csv", "npz")  # of the files in which a figure and its numbers leave
