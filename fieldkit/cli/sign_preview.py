"""What `fieldkit sign` shows: the stamp on its page, before and after."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit import errors
from fieldkit.cli import show
from fieldkit.cli.frame import Call, Reply
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.secret import Secret
    from fieldkit.signature.batch import SigningJob, SigningOutcome, StampSpec


def show_stamps(call: Call, sources: Sequence[Path], stamp: StampSpec | None) -> Reply:
    """Show each document's page with its stamp, and where that is; nothing is signed."""
    from fieldkit.action.sign_documents import NOT_SIGNED, ask_password
    from fieldkit.signature import preview

    if stamp is None:
        raise errors.Misused(
            M("There is no stamp to show."), unchanged=NOT_SIGNED, hint=M("Say which with --stamp.")
        )
    results, lines = [], []
    for source in sources:
        password = None
        if _encrypted(source):
            password = asyncio.run(ask_password(call.console(), source))
        draft = preview.draft(source, stamp, password=password)
        if not call.json:
            easel = preview.Easel(source, stamp, password=password)
            show.show(functools.partial(easel.pixels, draft))
        lines += [draft.words(), M("The same by option: --at {place}", place=draft.option)]
        if not draft.found:
            lines.append(M("The name {name} was not found on any page.", name=stamp.name))
        results.append(
            {
                "source": source,
                "page": draft.place.page + 1,
                "pages": len(draft.pages),
                "box": list(draft.place.box),
                "at": draft.option,
                "found": draft.found,
            }
        )
    return Reply(results[0] if len(results) == 1 else results, lines)


def _encrypted(source: Path) -> bool:
    from fieldkit.pdf.errors import DocumentEncrypted
    from fieldkit.signature.preflight import preflight

    return isinstance(preflight(source).problem, DocumentEncrypted)


def show_draft(job: SigningJob, stamp: StampSpec, password: Secret | None) -> None:
    from fieldkit.signature import preview

    draft = preview.draft(job.source, stamp, password=password)
    easel = preview.Easel(job.source, stamp, password=password)
    show.show(functools.partial(easel.pixels, draft), sys.stderr, pictures=False)
    sys.stderr.write(f"{draft.words()}\n")


def show_signed(
    call: Call, outcomes: Sequence[SigningOutcome], stamp: StampSpec | None, password: Secret | None
) -> None:
    """The signed page, as viewers will show it, for a person who saw it before."""
    from fieldkit.signature import permission, preview

    signed = next((outcome.signed for outcome in outcomes if outcome.signed is not None), None)
    if stamp is None or signed is None or call.json or not call.console().attended:
        return
    with contextlib.suppress(errors.FieldkitError):  # it is signed; a picture of it is a comfort
        path = Path(signed.out)
        place = permission.place_of(path, signed.field, password)
        if place is not None:
            show.show(
                lambda width, height: preview.signed(path, place, width, height, password=password),
                sys.stderr,
                pictures=False,
            )
