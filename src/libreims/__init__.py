"""LibreIMS: a standalone IMS server for LTE and 5G."""

__version__ = "0.1.0"
