"""One module per OCPI version: domain values to wire objects and back."""
