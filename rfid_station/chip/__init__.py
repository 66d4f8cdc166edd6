"""What chips understand: commands to bytes, answers to values. No input or output happens here."""
