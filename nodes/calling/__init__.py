"""How an attempt is put to the model: which words, tools and room; and what it came to. For `execute.py`."""
