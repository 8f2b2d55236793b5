"""`python -m server` is `lab`."""

from server.cli.main import main

main()
