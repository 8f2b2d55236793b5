"""The map: each file wires nodes into one graph."""
