"""What the next attempt is to be: which model, loaded how, changed how. Plain functions for `monitor.py`."""
