"""Two compiles -> what differs between them."""
