"""The command line: a file a command. What they share stands in `options`."""
