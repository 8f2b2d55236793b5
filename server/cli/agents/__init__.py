"""`lab agents`: the registry on the terminal, one file a verb or a few verbs."""
