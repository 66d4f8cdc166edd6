"""Codes that machines read: encoded, and as modules to be drawn."""
