"""What can go wrong with profiles."""

from __future__ import annotations

from fieldkit.text import M
from fieldkit.yaml_model import Invalid


class ProfileInvalid(Invalid, code="profile-invalid"):
    """A profile's file is wrong; `problems` has every reason with its place."""

    mend = M("Mend the file. A copy of your own in the home may be taken away: the shipped one is used then.")
