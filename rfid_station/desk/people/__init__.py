"""Who works here: operators, their shifts, and what takes two of them."""
