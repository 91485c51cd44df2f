"""The lessons in JupyterLab in a real browser: they run there, and their widgets respond.

A folder of its own that `pytest tests` leaves out: `make browser` runs it, alone, because it
measures how quickly the widgets respond.
"""
