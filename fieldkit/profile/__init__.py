"""Profiles, read from YAML: tokens and drivers, authorities, stamp rules by date, services, the plan:

    profiles = load(home)
    profiles.tokens["bit4id"].pin_policy
    profiles.rules_at(date.today())

The technician's own files lie over those that are shipped.
"""
