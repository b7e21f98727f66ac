"""Certificates: files, inspection, paths, matching a dossier."""
