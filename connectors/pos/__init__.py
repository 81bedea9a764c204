"""Orders of shop tills: what stands in a file of them, in the shared commerce model.

No database: ``layout`` says which column is what, ``rows`` reads a file row by row, ``grouping`` puts the rows of an
order together, ``values`` reads what stands in a cell, and ``mapping`` says what an order means.
"""
