"""The store taken elsewhere: backed up, restored, copied from one engine to the other."""
