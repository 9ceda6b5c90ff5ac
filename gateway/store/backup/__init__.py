"""Copies of the durable state: made beside the running gateway, proven, put back (safety O-10)."""
