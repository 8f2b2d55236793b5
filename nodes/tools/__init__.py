"""Tools that models may call, one a file. A tool never executes code that a prompt or a model wrote."""
