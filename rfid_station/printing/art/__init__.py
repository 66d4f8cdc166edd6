"""Artwork that comes from outside: pictures, logos and outlines, checked before they are drawn."""
