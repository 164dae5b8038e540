"""The app around the pages: what draws any of them, its own widgets, and serving. Importing it needs no torch."""
