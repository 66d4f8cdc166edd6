"""What cards did out there, as partners tell it, and what they did that they should not."""
