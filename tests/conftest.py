"""Fixtures that every test may use."""

from support.virtual import virtual_loop

__all__ = ["virtual_loop"]
