"""What the comparison is made of: processes, servers, load generators, figures."""
