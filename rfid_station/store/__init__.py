"""The local record of every card, token, partner and event."""
