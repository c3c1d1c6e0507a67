"""Home subscriber server: the port that the registrar asks, and the built-in one behind it."""
