"""The flows of the desk, each to be read from top to bottom."""
