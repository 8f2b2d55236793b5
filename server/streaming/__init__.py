"""What a run says while it runs, from LangGraph's stream parts to the wire."""
