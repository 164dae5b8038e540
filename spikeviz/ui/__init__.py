"""What the pages share: the experiment, its controls, cached runs, cards, and serving. Importing it needs no torch."""
