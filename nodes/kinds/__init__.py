"""The classifier of requests: text → features → kind. Shipped fitted; `train.py` is the recipe."""
