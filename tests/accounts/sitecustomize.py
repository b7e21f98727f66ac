"""Other homes for every account: Python loads this at its start where the tests put its folder first.

fieldkit takes an account's home from the system's list of accounts, never from the environment, so that is
what the tests replace, in their own process and in the programs they start.
"""

from __future__ import annotations

import os
import sys

VARIABLE = "FIELDKIT_TESTS_ACCOUNTS"
"""The folder with a home for each account, named by its number; this file alone reads it."""

if sys.platform != "win32":
    import pwd

    real = pwd.getpwuid

    def getpwuid(uid: int) -> pwd.struct_passwd:
        """An account as the system knows it, with a home of the tests."""
        account = real(uid)
        if VARIABLE not in os.environ:
            return account
        home = os.path.join(os.environ[VARIABLE], str(uid))
        return pwd.struct_passwd((*account[:5], home, account[6]))

    pwd.getpwuid = getpwuid
