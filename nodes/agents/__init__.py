"""Agents: the kinds there are (`kinds.py`), what each does, and how one is called when calls may fail (`calling.py`)."""
