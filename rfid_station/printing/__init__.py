"""Card designs and sheets, from template files to PDF and picture.

`template`, `brand`, `design` and `layout` read files and load no PDF library; `sheet` and
`preview` draw, and are to be imported only where something is printed.
"""
