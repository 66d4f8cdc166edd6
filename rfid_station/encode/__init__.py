"""What is written to a card: planned, written in an order that survives a tear, read back."""
