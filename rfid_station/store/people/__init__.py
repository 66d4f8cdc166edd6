"""Who works here and who drives: operators, shifts, drivers and their codes."""
