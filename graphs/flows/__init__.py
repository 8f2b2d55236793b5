"""YAML flows: read, checked whole, compiled into graphs."""
