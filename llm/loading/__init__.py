"""From a card to a model in memory. Importing this package imports no torch; its strategies do."""
