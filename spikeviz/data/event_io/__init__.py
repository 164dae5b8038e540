"""Files of event cameras, read with distrust."""
