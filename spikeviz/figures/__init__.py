"""Figures: numbers in, a figure out. Curves are plotly, maps and bars are small pieces of HTML with real pixels."""
