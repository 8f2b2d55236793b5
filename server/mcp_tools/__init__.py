"""Tools of MCP servers, which the operator's file names and nothing else can."""
