"""What every page of the app shares: a page value in, widgets out. It imports no view of a page."""
