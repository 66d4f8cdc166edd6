"""One file a version. A published one is never edited."""
