"""Crews and flows on a real server whose agents are real processes, which fail, are killed and come back."""
