"""Any exception as an error with words, for the error screen and the last line on the terminal."""

from __future__ import annotations

from fieldkit import errors
from fieldkit.errors import FieldkitError
from fieldkit.text import M
from fieldkit.tui.runner import Stopped


class SystemRefused(errors.Missing):
    """The operating system said no: space, rights, a file that is not there."""

    code = "system"


def as_error(error: BaseException) -> FieldkitError:
    """`error` itself if it has words; else what a person can be told of it, without its values."""
    if isinstance(error, FieldkitError):
        return error
    if isinstance(error, Stopped):
        return errors.Cancelled(
            M("Stopped by you."),
            unchanged=M("What was saved before is safe; the step itself was not finished."),
            hint=M("Run the step again to go on."),
        )
    if isinstance(error, OSError):
        return SystemRefused(
            M(
                "The system said no: {reason} ({path}).",
                reason=error.strerror or type(error).__name__,
                path=str(error.filename or ""),
            ),
            hint=M("Check the path, the free space and your rights, then try again."),
            detail=str(error.errno or ""),
        )
    return errors.Internal(
        M("A fault inside fieldkit: {kind}.", kind=type(error).__name__),
        unchanged=M("What was saved is safe."),
        hint=M("Try again; if it comes back, send the report of `fieldkit doctor` to head office."),
        detail=place(error),
    )


def place(error: BaseException) -> str:
    """Where it was raised: file and line, and nothing of the values there, which might be secret."""
    where = error.__traceback__
    while where is not None and where.tb_next is not None:
        where = where.tb_next
    return f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else ""
