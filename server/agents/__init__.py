"""The agents of this server: registered, watched, counted."""
