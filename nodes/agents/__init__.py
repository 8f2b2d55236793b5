"""Agents: the kinds there are (`kinds.py`), what each does, and how one is called that may fail (`calling.py`)."""
