"""A name that a server may have taken for itself."""

WORD = "the application's own nodes"
