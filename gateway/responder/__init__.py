"""Automatic responses by RFC 3834: when we may answer, and what we say. Pure."""
