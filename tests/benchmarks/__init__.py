"""Benchmarks: figures beside a named reference in the same run. `make bench` runs them all; none is a test."""
