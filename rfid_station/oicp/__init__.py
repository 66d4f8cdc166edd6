"""A roaming hub that takes uploads of cards by OICP 2.3: what is told, and what its answers mean."""
