"""What keeps an answer to a form: schemas, grammars, and the masks made of them. Imports no torch."""
