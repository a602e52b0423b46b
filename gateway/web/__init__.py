"""I/O: the edge. HTTP in, HTTP out; `delivery` shows the whole walk of a request."""
