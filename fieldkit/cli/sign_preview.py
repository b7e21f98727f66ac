"""What `fieldkit sign` shows: the stamp on its page, before and after."""

from __future__ import annotations

import asyncio
import contextlib
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


def show_stamps(call: Call, sources: Sequence[Path], look: StampSpec | None) -> Reply:
    """Show each document's page with its stamp, and where that is; nothing is signed."""
    from fieldkit.action.sign_documents import NOT_SIGNED, ask_password
    from fieldkit.signature import preview

    if look is None:
        raise errors.Misused(
            M("There is no stamp to show."), unchanged=NOT_SIGNED, hint=M("Say which with --stamp.")
        )
    shapes, lines = [], []
    for source in sources:
        password = None
        if _encrypted(source):
            password = asyncio.run(ask_password(call.console(), source))
        draft = preview.draft(source, look, password=password)
        if not call.json:
            easel = preview.Easel(source, look, password=password)
            show.show(lambda width, height, e=easel, d=draft: e.pixels(d, width, height))  # type: ignore[misc]
        lines += [draft.words(), M("The same by option: --at {place}", place=draft.option)]
        if not draft.found:
            lines.append(M("The name {name} was not found on any page.", name=look.name))
        shapes.append(
            {
                "source": str(source),
                "page": draft.place.page + 1,
                "pages": len(draft.pages),
                "box": list(draft.place.box),
                "at": draft.option,
                "found": draft.found,
            }
        )
    return Reply(shapes[0] if len(shapes) == 1 else shapes, lines)


def _encrypted(source: Path) -> bool:
    from fieldkit.pdf.errors import DocumentEncrypted
    from fieldkit.signature.preflight import preflight

    return isinstance(preflight(source).problem, DocumentEncrypted)


def show_draft(job: SigningJob, look: StampSpec, password: Secret | None) -> None:
    from fieldkit.signature import preview

    draft = preview.draft(job.source, look, password=password)
    easel = preview.Easel(job.source, look, password=password)
    show.show(lambda width, height: easel.pixels(draft, width, height), sys.stderr, pictures=False)
    sys.stderr.write(f"{draft.words()}\n")


def show_signed(
    call: Call, done: Sequence[SigningOutcome], look: StampSpec | None, password: Secret | None
) -> None:
    """The signed page, as viewers will show it, for a person who saw it before."""
    from fieldkit.signature import permission, preview

    signed = next(
        (signing_outcome.signed for signing_outcome in done if signing_outcome.signed is not None), None
    )
    if look is None or signed is None or call.json or not call.console().attended:
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
