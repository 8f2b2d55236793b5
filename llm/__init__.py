"""One door to models: a catalogue, a manager that leases them, and chat models over them."""
