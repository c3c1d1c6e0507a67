"""Persistence: a port and its adapters."""
