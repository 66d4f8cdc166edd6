"""The station's master keys."""
