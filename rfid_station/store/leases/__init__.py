"""Ranges of contract numbers: how a change draws from the desk's own, and who holds which."""
