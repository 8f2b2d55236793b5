"""What a process measures and tells of itself.

Metrics: `meters.py` is the start, what counts as it happens, handed to whoever it happens to; `readings.py` looks at
the rest when somebody asks; `exposition.py` and `figures.py` tell both, as text and as JSON. Logs: `logs.py`.
"""
