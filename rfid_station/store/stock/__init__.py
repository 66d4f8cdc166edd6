"""Blank stock as double-entry book-keeping: what came in lies there, became a card, or is gone."""
