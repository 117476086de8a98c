"""Email delivery that survives its provider."""

__version__ = "0.1.0"
