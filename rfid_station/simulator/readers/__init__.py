"""Virtual readers: what stands between a virtual card and a program that knows nothing of it."""
