"""`lab eval`: how good the analyzer, the validator and whole configurations are, measured on labelled data."""
