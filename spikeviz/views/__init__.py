"""What pages show, as values: nothing here draws, and nothing needs a browser."""
