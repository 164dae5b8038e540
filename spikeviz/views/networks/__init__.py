"""Networks among each other: what one is called, and which differ in a setting alone."""
