"""Signed records as earlier releases made them, by the number of their form; never touched again."""
