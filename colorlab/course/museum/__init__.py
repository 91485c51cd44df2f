"""The runs that lesson 06 shows: a diary of each, what was wrong with it, and how it shows."""
