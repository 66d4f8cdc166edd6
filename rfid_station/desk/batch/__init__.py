"""Fleet files: read in any dialect, checked as a whole, carried out row by row."""
