"""What the person at this machine set once, kept in the home: name, language, looks of the screens."""

from __future__ import annotations

import contextlib
import os
import tempfile
import unicodedata
from pathlib import Path
from typing import Literal

import msgspec

from fieldkit import i18n
from fieldkit.access import make_private_folder
from fieldkit.errors import Misused
from fieldkit.home import Home
from fieldkit.operator import Question
from fieldkit.text import M, nfc

LONGEST_NAME = 120
WHO = Question("who", M("Your full name, as it stands in records"))


class SettingsUnreadable(Misused, code="settings-unreadable"):
    """The settings in the home are not what fieldkit writes there."""


class PersonNameUnfit(Misused, code="name-unfit"):
    """What was given as a person's name cannot stand in a record."""


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """who: full name, as it stands in records. "" is what was not set: the environment decides."""

    who: str = ""
    language: str = ""
    theme: Literal["", "dark", "light"] = ""
    colours: Literal["", "none", "16", "256", "truecolor"] = ""


def load(home: Home) -> Settings:
    """The settings in `home`; none where there are none yet.

    :raises SettingsUnreadable: they are there, and cannot be read.
    """
    try:
        settings = msgspec.json.decode(home.settings.read_bytes(), type=Settings)
        if settings.language not in ("", *i18n.LANGUAGES):
            raise msgspec.ValidationError(f"unknown language {settings.language!r}")
        return settings
    except FileNotFoundError:
        return Settings()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsUnreadable(
            M("The settings cannot be read: {path}.", path=str(home.settings)),
            unchanged=M("Nothing was changed."),
            hint=M("Delete that file, then run `fieldkit setup`."),
            detail=str(error),
        ) from None


def load_or_default(home: Home) -> Settings:
    """The same for what has to go on without them: the language of an error, the colours of a screen."""
    with contextlib.suppress(SettingsUnreadable):
        return load(home)
    return Settings()


def save(home: Home, settings: Settings) -> None:
    """Keep `settings` in `home`, whole or not at all."""
    make_private_folder(home.path)
    descriptor, name = tempfile.mkstemp(dir=home.path, prefix="settings-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(settings) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(home.settings)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def save_name(home: Home, who: str) -> None:
    """Keep who works here, beside what else is set."""
    save(home, msgspec.structs.replace(load(home), who=who))


def full_name(typed: str) -> str:
    """A person's name as records have it: composed, in one line.

    :raises PersonNameUnfit: it is none.
    """
    name = " ".join(nfc(typed).split())
    if not name or len(name) > LONGEST_NAME or any(unicodedata.category(sign)[0] == "C" for sign in name):
        raise PersonNameUnfit(
            M("That is no name that could stand in a record: one line of at most {count} characters.",
              count=LONGEST_NAME),
            unchanged=M("Nothing was changed."),
        )  # fmt: skip
    return name
