"""Profiles, read from YAML: tokens and drivers, authorities, stamp rules, services, the plan."""
