"""The command line, one file a noun. It shows and asks; it decides nothing."""
