"""A virtual Hubject: it takes uploads of authentication data, by OICP 2.3."""
