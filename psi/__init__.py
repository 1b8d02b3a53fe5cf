"""Private set intersection: which customers two parties share, and one order of them."""
