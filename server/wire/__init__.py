"""Pydantic shapes of requests and responses, one file a resource, no behaviour."""
