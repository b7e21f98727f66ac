"""What can go wrong, by what a person can do about it, and the exit status that says so.

    FieldkitError
    ├── Failed    1  it was done, and the answer is no
    ├── Misused   2  the call or its input is wrong
    ├── Refused   3  refused for safety, or not consented to
    ├── Missing   4  something needed is not there: module, token, file, space, network
    └── Internal  5  a fault in fieldkit or in a module it runs

Rooms derive their own types from these and give each a stable, kebab-case `code`:

    class BundleDamaged(errors.Failed, code="bundle-damaged"): ...

Only the command line and the screens turn an error into words; `as_dict` is the one shape it has outside.
"""

from __future__ import annotations

import errno
from typing import ClassVar

from fieldkit.text import M, Said

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
"""What the system says of a disk, or a person's share of it, that is full."""


class FieldkitError(Exception):
    """An error that a person is told about.

    message: what happened.
    unchanged: what was not changed by it, where that is in doubt.
    hint: what to do next.
    detail: technical text for whoever helps; never a secret.
    data: further values for a program, JSON-able.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 5

    def __init_subclass__(cls, *, code: str = "", status: int = 0) -> None:
        if code:
            cls.code = code
        if status:  # set where it is said only: a room's own base would hide that of the kind beside it
            cls.status = status

    def __init__(
        self,
        message: Said,
        *,
        unchanged: Said | None = None,
        hint: Said | None = None,
        detail: str = "",
        **data: object,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.unchanged = unchanged
        self.hint = hint
        self.detail = detail
        self.data = data

    def __str__(self) -> str:
        return str(self.message)

    def lines(self) -> list[str]:
        """What a person reads, a sentence a line: what happened, what was not changed, what next."""
        sentences = (self.message, self.unchanged, self.hint)
        return [str(part) for part in sentences if part is not None]

    def as_dict(self) -> dict[str, object]:
        """The `error` member of a command's JSON document."""
        shape: dict[str, object] = {
            "code": self.code,
            "message": str(self.message),
            "detail": self.detail,
            "hint": str(self.hint) if self.hint else "",
        }
        if self.unchanged:
            shape["unchanged"] = str(self.unchanged)
        return shape | self.data


class Failed(FieldkitError, code="failed", status=1):
    """It was done, and the answer is no."""


class Misused(FieldkitError, code="usage", status=2):
    """The call, or a file given to it, is wrong."""


class Refused(FieldkitError, code="refused", status=3):
    """Refused for safety; nothing was changed."""


class NotConsented(Refused, code="not-consented"):
    """The person said no, or nobody was there to say yes."""


class Cancelled(Refused, code="cancelled"):
    """The person broke off."""


class Missing(FieldkitError, code="missing", status=4):
    """Something needed is not there."""


class Internal(FieldkitError):
    """A fault in fieldkit, or in a program or module it runs."""


class SystemRefused(Missing, code="system"):
    """The operating system said no: space, rights, a file that is not there."""


def from_system(error: OSError) -> FieldkitError:
    """What the operating system refused, where nobody nearer to it knew a better word."""
    return SystemRefused(
        M(
            "The system said no: {reason} ({path}).",
            reason=error.strerror or type(error).__name__,
            path=str(error.filename or "-"),
        ),
        unchanged=M("What was saved before is safe."),
        hint=M("Check the path, the free space and your rights, then try again."),
        detail=str(error.errno or ""),
    )


def unexpected(error: BaseException) -> FieldkitError:
    """A fault nobody foresaw, without its values: they might hold a secret."""
    return Internal(
        M("A fault inside fieldkit: {kind}.", kind=type(error).__name__),
        unchanged=M("What was saved before is safe."),
        hint=M("Try again; if it comes back, send the report of `fieldkit doctor` to head office."),
        detail=place(error),
    )


def as_error(error: BaseException) -> FieldkitError:
    """`error` itself if it has words; else what a person can be told of it, without its values."""
    if isinstance(error, FieldkitError):
        return error
    return from_system(error) if isinstance(error, OSError) else unexpected(error)


def place(error: BaseException) -> str:
    """Where it was raised: file and line, and nothing of the values there."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    return f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
