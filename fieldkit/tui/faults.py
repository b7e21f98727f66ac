"""Any exception as an error with words, for the error screen and the last line on the terminal."""

from __future__ import annotations

from fieldkit import errors
from fieldkit.errors import FieldkitError
from fieldkit.text import M
from fieldkit.tui.runner import WorkStopped


def as_error(error: BaseException) -> FieldkitError:
    """`error` itself if it has words; else what a person can be told of it, without its values."""
    if isinstance(error, FieldkitError):
        return error
    if isinstance(error, WorkStopped):
        return errors.Cancelled(
            M("Stopped by you."),
            unchanged=M("What was saved before is safe; the step itself was not finished."),
            hint=M("Run the step again to go on."),
        )
    if isinstance(error, OSError):
        return errors.from_system(error)
    return errors.unexpected(error)
