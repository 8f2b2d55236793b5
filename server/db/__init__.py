"""Postgres: the embedded server, the pool, migrations, checkpoints and one repository a table. Start at `pool.py`."""
