"""Where a run stops and asks a human: an expensive load, tool calls, a low score."""
