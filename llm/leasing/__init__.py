"""Behind the manager: who waits for a model, who is next, who holds one; the thread that loads. Imports no torch."""
