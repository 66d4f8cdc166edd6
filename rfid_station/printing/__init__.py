"""Card designs and sheets, from template files to PDF and picture."""
