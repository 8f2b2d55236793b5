"""One step each: a thin async node over plain functions that decide."""
