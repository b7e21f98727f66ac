"""What a person types as an answer, in the form it is stored in: composed text, plain decimals, ISO days.

    number("1.234.567,5")   "1234567.5"        day("24/11/2026")   "2026-11-24"

Each raises AnswerInvalid for what it cannot take; nothing was saved then.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal

from fieldkit.checklist.errors import AnswerInvalid
from fieldkit.checklist.value import plain
from fieldkit.text import M, Said, nfc

LONGEST_TEXT = 20_000
_GROUPED = re.compile(r"-?\d{1,3}(?:([.,\s])\d{3})(?:\1\d{3})*(?:(?!\1)[.,](\d{1,15}))?")
_DECIMAL = re.compile(r"-?\d{1,25}(?:[.,]\d{1,15})?")
_AMBIGUOUS = re.compile(r"-?[1-9]\d{0,2}[.,]\d{3}")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})")
_YEAR_FIRST = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"(\d{1,2})[:.hg](\d\d)(?::(\d\d)(?:\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.I)
_DEGREES = re.compile(r"-?\d{1,3}(?:[.,]\d{1,12})?")
_MOST_DIGITS = 25
_MOST_SHOWN = 40
_SHA256 = re.compile(r"[0-9a-f]{64}")


def invalid(message: Said) -> AnswerInvalid:
    """The error of a value that answers nothing."""
    return AnswerInvalid(message, unchanged=M("The answer was not saved."))


def clean(text: str, *, multiline: bool = False) -> str:
    """Composed, without blanks around it, and without characters that no one can see."""
    cleaned = composed(text).replace("\r\n", "\n").replace("\r", "\n").strip()
    if not cleaned:
        raise invalid(M("The answer is empty."))
    if len(cleaned) > LONGEST_TEXT:
        raise invalid(M("The answer is longer than {count} characters.", count=LONGEST_TEXT))
    if "\n" in cleaned and not multiline:
        raise invalid(M("The answer takes one line only."))
    if any(unicodedata.category(sign) == "Cc" and sign not in "\n\t" for sign in cleaned):
        raise invalid(M("The answer holds a control character."))
    return cleaned


def composed(text: str) -> str:
    """Composed; refused where it could not even be shown."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid(M("The answer holds bytes that are not UTF-8 text.")) from None
    return nfc(text)


def one_of(text: str, known: Sequence[str]) -> str:
    """That of `known` which is meant, whatever its capitals."""
    if text in known:
        return text
    for value in known:
        if value.casefold() == text.casefold():
            return value
    raise invalid(M("`{value}` is not one of: {known}.", value=text, known=_shown(known)))


def _shown(known: Sequence[str]) -> str:
    return ", ".join(known if len(known) <= _MOST_SHOWN else (*known[:_MOST_SHOWN], "…"))


def number(text: str) -> str:
    """A plain decimal: "3,5" and "3.5" are three and a half, "1.234.567" and "1 234 567" are whole."""
    plain_text = unicodedata.normalize("NFKC", text).replace("−", "-").lstrip("+")
    if _AMBIGUOUS.fullmatch(plain_text):
        whole, _, fraction = re.split(r"([.,])", plain_text)
        message = M(
            "`{value}` may be a thousand or a fraction. For the thousand write {thousand}, "
            "for the fraction {fraction}.",
            value=text,
            thousand=whole + fraction,
            fraction=f"{whole},{fraction}0",
        )
        raise invalid(message)
    if _DECIMAL.fullmatch(plain_text):
        return stored_number(Decimal(plain_text.replace(",", ".")), text)
    grouped = _GROUPED.fullmatch(plain_text)
    if grouped is None:
        raise invalid(M("`{value}` is not a number.", value=text))
    whole, fraction = (plain_text[: -len(grouped[2]) - 1], grouped[2]) if grouped[2] else (plain_text, "0")
    return stored_number(Decimal(whole.replace(grouped[1], "") + "." + fraction), text)


def stored_number(value: Decimal, text: str) -> str:
    """A number as it is stored; refused where an expression could not work with all its digits."""
    if not value.is_finite():
        raise invalid(M("`{value}` is not a number.", value=text))
    stored = plain(value)
    whole, _, fraction = stored.lstrip("-").partition(".")
    if len(whole) > _MOST_DIGITS or len(fraction) > _MOST_DIGITS:
        raise invalid(M("The number has more than {count} digits.", count=_MOST_DIGITS))
    return stored


def day(text: str) -> str:
    """An ISO date, from one or from day/month/year.

    :raises AnswerInvalid: it is neither.
    """
    match = _DAY_FIRST.fullmatch(text)
    try:
        if match:
            return datetime.date(int(match[3]), int(match[2]), int(match[1])).isoformat()
        if _YEAR_FIRST.fullmatch(text):
            return datetime.date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise invalid(M("`{value}` is not a date. Write it as 24/11/2026 or 2026-11-24.", value=text))


def time(text: str) -> str:
    """An ISO time of day, from 8:30, 8h30, 8g30 or 08:30:15; an offset from UTC stays.

    :raises AnswerInvalid: it is none.
    """
    match = _TIME.fullmatch(text)
    try:
        if match:
            return datetime.time(int(match[1]), int(match[2]), int(match[3] or 0)).isoformat() + (
                match[4] or ""
            )
    except ValueError:
        pass
    raise invalid(M("`{value}` is not a time. Write it as 8:30 or 14:05.", value=text))


def moment(text: str) -> str:
    """A day and a time, in ISO form: from both with a blank or a T between.

    :raises AnswerInvalid: it is none.
    """
    date, _, hour = text.replace("T", " ").partition(" ")
    if not hour.strip():
        raise invalid(M("`{value}` is not a day and a time. Write it as 24/11/2026 8:30.", value=text))
    return f"{day(date)}T{time(hour.strip())}"


def place(text: str) -> str:
    """Latitude and longitude in degrees, then altitude and accuracy in metres where they are there.

    :raises AnswerInvalid: it is none, or nowhere on Earth.
    """
    parts = re.split(r"\s*[;\s]\s*|,\s+", text.strip())
    if len(parts) == 1:
        parts = text.split(",")
    if 2 <= len(parts) <= 4 and all(_DEGREES.fullmatch(part) for part in parts):
        numbers = [Decimal(part.replace(",", ".")) for part in parts]
        if abs(numbers[0]) <= 90 and abs(numbers[1]) <= 180:
            return " ".join(map(plain, numbers))
    raise invalid(M("`{value}` is no place. Write latitude and longitude: 21.0285 105.8542.", value=text))


def attachment(value: object, accept: Collection[str] = ()) -> dict[str, str | int]:
    """A file kept by the store: {"sha256", "size", "name"}. accept: endings of its name; all if none."""
    if not isinstance(value, Mapping):
        raise invalid(M("This item is answered with a file."))
    sha256, size, name = value.get("sha256"), value.get("size"), value.get("name")
    if not (
        isinstance(sha256, str)
        and _SHA256.fullmatch(sha256)
        and isinstance(size, int)
        and size >= 0
        and isinstance(name, str)
        and name
    ):
        raise invalid(M("This item is answered with a file."))
    _, dot, ending = composed(name).rpartition(".")
    if accept and not (dot and ending.lower() in accept):
        message = M(
            "{name} is not of a kind that is taken here: {known}.",
            name=name,
            known=", ".join(accept),
        )
        raise invalid(message)
    return {"sha256": sha256, "size": size, "name": nfc(name)}
