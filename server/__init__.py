"""The only floor with a process: environment, sockets, Postgres."""
