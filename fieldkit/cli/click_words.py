"""Click's own words in the language in force: it asks `gettext`, and our catalogs have its messages too."""

from __future__ import annotations

import contextlib
import gettext
import os
from collections.abc import Iterator

from fieldkit import i18n
from fieldkit.text import M

DOMAIN = "fieldkit"
VARIABLE = "LANGUAGE"  # what gettext goes by before any locale

# What people meet of click's messages; the catalogs are made from what is marked so.
MET = (
    M("Usage:"),
    M("Options"),
    M("Commands"),
    M("Positional arguments"),
    M("Show this message and exit."),
    M("Missing command."),
    M("Missing argument"),
    M("Missing option"),
    M("Missing parameter"),
    M("No such option {name!r}."),
    M("No such command {name!r}."),
    M("Invalid value: {message}"),
    M("Invalid value for {param_hint}: {message}"),
    M("{value!r} is not a valid {number_type}."),
    M("{value} is not in the range {range}."),
    M("Option {name!r} does not take a value."),
    M("Option {name!r} requires an argument."),
    M("Argument {name!r} takes {nargs} values."),
    M("default: {default}"),
)


@contextlib.contextmanager
def spoken() -> Iterator[None]:
    """Within the block click speaks the language in force."""
    global _persons
    _persons = os.environ.get(VARIABLE)
    gettext.bindtextdomain(DOMAIN, str(i18n.CATALOGS))
    gettext.textdomain(DOMAIN)
    with _variable(i18n.language()):
        yield


@contextlib.contextmanager
def unspoken() -> Iterator[None]:
    """Within the block the environment is the person's own again, as programs started there need it."""
    with _variable(_persons):
        yield


_persons: str | None = None


@contextlib.contextmanager
def _variable(value: str | None) -> Iterator[None]:
    before = os.environ.get(VARIABLE)
    _set(value)
    try:
        yield
    finally:
        _set(before)


def _set(value: str | None) -> None:
    if value is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = value
