"""Parts that models are built of: neurons, layers, attention, stems."""
