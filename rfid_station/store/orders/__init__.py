"""Work orders, plastic that is printed first, envelopes and parcels."""
