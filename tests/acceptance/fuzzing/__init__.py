"""Requests that schemathesis makes up from /openapi.json, sent to a live server."""
