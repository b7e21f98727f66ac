"""Procedures: one file for each item that answers itself by doing the work. They never draw or print."""
