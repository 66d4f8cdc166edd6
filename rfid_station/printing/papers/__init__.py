"""What goes with a card: letters, labels, lists, reports and the receipt of a block."""
