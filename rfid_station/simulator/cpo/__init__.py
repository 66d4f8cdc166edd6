"""A virtual charge point operator: it registers, takes tokens, and goes wrong on demand."""
