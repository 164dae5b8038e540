"""What can be taken along of a view: Python lines, a report."""
