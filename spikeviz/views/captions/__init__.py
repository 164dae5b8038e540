"""Parts of captions that are computed from a network and its card, for every page."""
