"""Partners, hubs' parties, and the agreements that say who gets which cards."""
