"""Sync: bundles of entries and the carriers that move them. It does not know what a token is."""
