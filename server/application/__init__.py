"""What is served: the graphs and settings of a `langgraph.json`."""
