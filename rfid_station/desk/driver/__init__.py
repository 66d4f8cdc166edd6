"""What drivers do by themselves, on their card's page."""
