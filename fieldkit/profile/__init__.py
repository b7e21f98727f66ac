"""Profiles: tokens and drivers, authorities, stamp rules, services, the plan and its bureaus, read from YAML."""
