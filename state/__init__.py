"""What flows through a graph and what is kept. No I/O, and nothing of ours above this floor."""
