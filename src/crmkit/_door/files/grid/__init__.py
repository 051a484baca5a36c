"""What the rows of a grid are: titles, the header, rows, totals."""
