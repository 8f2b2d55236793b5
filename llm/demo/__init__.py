"""The bundled demo chat model: its weights, the data it was trained on, the recipe, and its measured card.

Nothing is imported here: the generators need only the standard library, `tokenizer`, `train` and `evaluate` need torch.
"""
