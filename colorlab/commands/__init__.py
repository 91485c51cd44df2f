"""The command line: a file a command, with its options and what it does.

Each has ``add_options(parser)`` and ``run(options)``, which returns the exit status. A file is
imported before its options are read, so what is slow to import is imported in functions.
"""
