"""What runs cost, as ratios of works that take turns (`spikeviz bench`)."""
