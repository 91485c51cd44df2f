"""07: where the time of a step goes, and what can be done about it."""
