"""The steps of crews and flows: what each is asked, who is asked, and what comes of it."""
