"""The command line monitor of the server (manual §8): reads lines, asks the table of `api`, writes text."""
