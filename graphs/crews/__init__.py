"""Crews: definitions of agents that work together, each compiled into the graph of its mode."""
