"""Layers of a network as they are looked at: in an address, in the viewer."""
