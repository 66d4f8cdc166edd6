"""A card is stopped, or let go on: here, at once at every partner, and proven there."""

from __future__ import annotations
