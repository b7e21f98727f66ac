"""Many documents with one session and one PIN: a result for each, and one that fails stops no other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit.errors import Cancelled, FieldkitError, unexpected
from fieldkit.finding import Finding
from fieldkit.operator import Progress
from fieldkit.pdf.errors import DocumentError
from fieldkit.profile.rules import StampRule
from fieldkit.signature import permission
from fieldkit.signature.preflight import rewrite
from fieldkit.signature.raw_signer import RawSigner
from fieldkit.signature.sign import Drawing, Reserved, SignedDocument, sign
from fieldkit.stamp.errors import StampUnfit
from fieldkit.stamp.place import OVERLAP, Page, Place, beside, pages
from fieldkit.stamp.placement import PLACEMENTS, for_rule
from fieldkit.stamp.stamp import Stamp, draw
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.secret import Secret


class SigningJob(msgspec.Struct, frozen=True):
    """One document to sign and where the result goes.

    rewrite: the person agreed to have it rewritten first. problem: why it is not to be tried at all.
    """

    source: Path
    out: Path
    rewrite: bool = False
    problem: FieldkitError | None = None


class SigningOutcome(msgspec.Struct, frozen=True):
    """What became of a job: the signed document, or why there is none."""

    job: SigningJob
    signed: SignedDocument | None = None
    error: FieldkitError | None = None


class StampSpec(msgspec.Struct, frozen=True):
    """How a stamp is drawn on whatever document comes. place: given exactly; found by the rule otherwise.

    seal: also make the empty field for the agency's seal beside the person's signature, by this rule.
    """

    rule: StampRule
    name: str = ""
    title: str = ""
    number: str = ""
    copy_form: str = ""
    image: Path | None = None
    place: Place | None = None
    at: datetime | None = None
    seal: StampRule | None = None

    def spot(
        self,
        source: Path,
        password: Secret | None = None,
        field: Place | None = None,
        document_pages: Sequence[Page] | None = None,
    ) -> tuple[Place, bool]:
        """Where the stamp goes, and whether that is known.

        field: the place of the field to be signed. document_pages: the pages, where they were read before.
        """
        if field is not None:
            return field, True
        document_pages = pages(source, password) if document_pages is None else document_pages
        if self.place is not None:
            return _on(document_pages, self.place), True
        person = None
        if PLACEMENTS[self.rule.place].by_person:
            person = permission.place_of(source, permission.FIELDS["person"], password)
        return for_rule(self.rule, document_pages, name=self.name, title=self.title, person=person)

    def on(self, spot: Place) -> Stamp:
        """The stamp, drawn for its place."""
        return draw(
            self.rule,
            spot,
            image=self.image,
            number=self.number,
            name=self.name,
            copy_form=self.copy_form,
            at=self.at,
        )


def _on(document_pages: Sequence[Page], place: Place) -> Place:
    """A place that was given, with what its page says of it.

    :raises StampUnfit: there is no such page.
    """
    if place.page >= len(document_pages):
        raise StampUnfit(
            M(
                "The stamp's place is on page {page}, and there are {pages}.",
                page=place.page + 1,
                pages=len(document_pages),
            ),
            hint=M("Give another place, or none to have it found."),
        )
    sheet = document_pages[place.page].sheet
    return msgspec.structs.replace(place, turn=sheet.turn, unit=sheet.unit)


def sign_one(
    job: SigningJob, signer: RawSigner, *, look: StampSpec | None = None, **more: Any
) -> SignedDocument:
    """Sign one document with the options `more` of `sign`.

    :raises FieldkitError: it was not signed, and why.
    """
    if job.problem is not None:
        raise job.problem
    if not job.rewrite:
        return _stamped(job.source, job.out, signer, look, more)
    with tempfile.TemporaryDirectory(prefix="fieldkit-rewrite-") as folder:
        copy = Path(folder) / job.source.name
        rewrite(job.source, copy)
        signed = _stamped(copy, job.out, signer, look, more)
    note = Finding("rewritten", "pass", M("The document was rewritten by qpdf before it was signed."))
    return msgspec.structs.replace(signed, checks=(note, *signed.checks))


def _stamped(
    source: Path, out: Path, signer: RawSigner, look: StampSpec | None, more: dict[str, Any]
) -> SignedDocument:
    if look is None:
        return sign(source, out, signer, **more)
    password: Secret | None = more.get("password")
    placed: list[bool] = []
    document_pages = pages(source, password) if look.seal is not None and not more.get("reserve") else None

    def drawn(field: Place | None) -> Stamp:
        spot, known = look.spot(source, password, field, document_pages)
        placed.append(known)
        return look.on(spot)

    if look.seal is not None and document_pages is not None:
        spot, _ = look.spot(source, password, document_pages=document_pages)
        seal = beside(document_pages[spot.page], spot, look.seal.size_mm, look.seal.overlap or OVERLAP)
        more = more | {"reserve": (Reserved(permission.FIELDS["agency"], seal),)}
    signed = sign(source, out, signer, stamp=Drawing(look.rule.kind, drawn), **more)
    if all(placed):
        return signed
    note = Finding(
        "stamp-place",
        "not-checked",
        M("The name {name} was not found on any page; the stamp stands at the lower right.", name=look.name),
        required=False,
    )
    return msgspec.structs.replace(signed, checks=(*signed.checks, note))


def sign_each(
    jobs: Sequence[SigningJob],
    signer: RawSigner,
    *,
    look: StampSpec | None = None,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    **more: Any,
) -> list[SigningOutcome]:
    """Sign every job with the options `more` of `sign`.

    What is wrong with the certificate, the token or the timestamp authority ends the run: no other
    document would fare better. stopped: asked before each document; the ones left are then cancelled.
    """
    done: list[SigningOutcome] = []
    fatal: FieldkitError | None = None
    for number, job in enumerate(jobs):
        if progress is not None:
            progress(Progress(M("Signing {name}", name=job.source.name), number, len(jobs)))
        if fatal is None and stopped():
            fatal = Cancelled(M("Stopped by you."), unchanged=M("This document was not signed."))
        if fatal is not None:
            done.append(SigningOutcome(job, error=job.problem or fatal))
            continue
        try:
            done.append(SigningOutcome(job, sign_one(job, signer, look=look, **more)))
        except FieldkitError as error:
            done.append(SigningOutcome(job, error=error))
            fatal = error if _of_all(error) else None
        except Exception as error:  # what was signed before stays told, and what comes is tried
            done.append(SigningOutcome(job, error=unexpected(error)))
    if progress is not None:
        signed = sum(1 for signing_outcome in done if signing_outcome.signed)
        progress(Progress(M("Signed documents: {count}", count=signed), len(jobs), len(jobs)))
    return done


def _of_all(error: FieldkitError) -> bool:
    """Whether every other document would fail the same way: the certificate, the token, the network."""
    return not isinstance(error, DocumentError)
