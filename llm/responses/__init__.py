"""Answers kept for calls that repeat. Imports no torch."""
