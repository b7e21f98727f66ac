"""Whole screens, each with title, body, status and keys; dialogs over them; how they ask."""
