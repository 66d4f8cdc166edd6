"""Work orders and blanks: what is to be made, of what, and how it leaves."""
