"""`lab flows`: definitions on the terminal, checked, drawn, tried out and run; a file a verb or a few verbs."""
