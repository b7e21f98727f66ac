"""What can go wrong with an exchange package."""

from __future__ import annotations

from fieldkit import errors


class PackageUnfit(errors.Misused, code="package-unfit"):
    """It is not an exchange package, or it is damaged or dangerous."""
