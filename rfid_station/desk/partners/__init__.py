"""Partners: met, agreed with, connected, kept in step, let go."""
