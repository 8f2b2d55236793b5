"""`lab models`: the catalogue on the terminal, one file a verb or a pair of verbs."""
