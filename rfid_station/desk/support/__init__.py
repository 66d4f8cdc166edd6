"""The phone call: a card found, stopped, replaced, activated, and what to say about it."""
