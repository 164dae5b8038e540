"""What can be taken along of a view: Python lines, a report, files that say where they are from."""
