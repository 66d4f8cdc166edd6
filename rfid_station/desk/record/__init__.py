"""The store as the desk keeps it: which it is, its copies and backups, and what is left when it is away."""
