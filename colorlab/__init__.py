"""Colorize photographs with adversarial networks, and learn how it is done."""

__version__ = "0.1.0"
