"""The only floor with a process: environment, sockets, Postgres."""

import os

# LangGraph reads it when it is first imported. Without it the types of a graph that runs within another graph (an agent
# of a crew, a tool's) are not added to those that checkpoints may hold, and such a graph begins anew at each resume.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
