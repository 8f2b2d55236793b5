"""One thin file a resource: parse, ask, answer."""
