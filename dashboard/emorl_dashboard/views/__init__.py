"""One module per page, each with ``render()``: it lays out, others compute and draw."""
