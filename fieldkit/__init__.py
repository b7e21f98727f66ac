"""Bring digital signatures to an office in the field: a visit is a checklist being filled in.

The rooms are sub-packages; nothing is imported here, so that a command pays only for what it uses.
"""

__version__ = "0.1.0"
