"""The Agent Server API over real HTTP: the same files run against our server and against the reference."""
