"""The command line: one file per noun; parses, calls the desk, renders."""
