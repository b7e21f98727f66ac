"""The profiles and checklists in force, shipped or the technician's own: whether they can be read."""

from __future__ import annotations

from collections.abc import Iterable

from fieldkit.doctor.probe import Probe, Subject
from fieldkit.errors import FieldkitError
from fieldkit.finding import Finding
from fieldkit.text import M, Message


def profiles(subject: Subject) -> Iterable[Finding]:
    from fieldkit.profile.load import load

    try:
        loaded = load(subject.home)
    except FieldkitError as error:
        yield Finding(
            "profiles",
            "fail",
            M("The profiles are not valid: {place}", place=_message(error)),
            error.detail,
            error.hint if isinstance(error.hint, Message) else None,
        )
        return
    yield Finding(
        "profiles",
        "pass",
        M(
            "The profiles are valid: {tokens} kinds of tokens, {bureaus} bureaus.",
            tokens=len(loaded.tokens),
            bureaus=len(loaded.plan.bureaus),
        ),
    )


def checklists(subject: Subject) -> Iterable[Finding]:
    from fieldkit.checklist.load import files, load

    paths = files(subject.home)
    bad = False
    for path in paths:
        try:
            load(path)
        except FieldkitError as error:
            bad = True
            yield Finding(
                "checklists",
                "fail",
                M("The checklist {file} is not valid: {place}", file=path.name, place=_message(error)),
                error.detail,
                error.hint if isinstance(error.hint, Message) else None,
            )
    if not bad:
        yield Finding("checklists", "pass", M("The checklists are valid: {count}.", count=len(paths)))


def _message(error: FieldkitError) -> Message | str:
    return error.message if isinstance(error.message, Message) else str(error)


PROBES = (Probe("profiles", profiles, 10.0), Probe("checklists", checklists, 10.0))
