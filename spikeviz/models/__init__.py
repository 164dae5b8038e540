"""The published families, one file each, and the table of their sizes."""
