"""From a chat call to an engine's request, and from its events to chunks. Imports no torch."""
