"""Many documents with one session and one PIN: a result for each, and one that fails stops no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.errors import Cancelled, FieldkitError, Refused
from fieldkit.operator import Progress
from fieldkit.profile.rules import StampRule
from fieldkit.signature import place
from fieldkit.signature.sign import RawSigner, Signed, sign
from fieldkit.signature.stamp import Stamp, draw
from fieldkit.text import M


class Job(msgspec.Struct, frozen=True):
    """One document to sign and where the result goes."""

    source: Path
    out: Path


class Outcome(msgspec.Struct, frozen=True):
    """What became of a job: the signed document, or why there is none."""

    job: Job
    signed: Signed | None = None
    error: FieldkitError | None = None


class Look(msgspec.Struct, frozen=True):
    """How a stamp is drawn on whatever document comes. place: given exactly; found by the rule otherwise."""

    rule: StampRule
    name: str = ""
    title: str = ""
    number: str = ""
    image: Path | None = None
    place: place.Place | None = None
    at: datetime | None = None

    def on(self, source: Path) -> Stamp:
        """The stamp for the document `source`."""
        spot = self.place
        if spot is None:
            spot, _ = place.for_rule(self.rule, place.pages(source) or (), name=self.name, title=self.title)
        return draw(self.rule, spot, image=self.image, number=self.number, name=self.name, at=self.at)


def sign_each(
    jobs: Sequence[Job],
    signer: RawSigner,
    *,
    look: Look | None = None,
    progress: Callable[[Progress], None] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    **more: Any,
) -> list[Outcome]:
    """Sign every job with the options `more` of `sign`.

    A certificate that may not sign ends the run: no other document would fare better. stopped: asked
    before each document; the ones left are then cancelled.
    """
    done: list[Outcome] = []
    fatal: FieldkitError | None = None
    for number, job in enumerate(jobs):
        if progress is not None:
            progress(Progress(M("Signing {name}", name=job.source.name), number, len(jobs)))
        if fatal is None and stopped():
            fatal = Cancelled(M("Stopped by you."), unchanged=M("This document was not signed."))
        if fatal is not None:
            done.append(Outcome(job, error=fatal))
            continue
        try:
            stamp = look.on(job.source) if look is not None else None
            done.append(Outcome(job, sign(job.source, job.out, signer, stamp=stamp, **more)))
        except FieldkitError as error:
            done.append(Outcome(job, error=error))
            if (isinstance(error, Refused) and error.code.startswith("certificate-")) or not _of_document(
                error
            ):
                fatal = error
    if progress is not None:
        progress(
            Progress(
                M("Signed documents: {count}", count=sum(1 for each in done if each.signed)),
                len(jobs),
                len(jobs),
            )
        )
    return done


def _of_document(error: FieldkitError) -> bool:
    """Whether the error is about one document; one of the token's or the network's is about all."""
    return type(error).__module__ == "fieldkit.signature.errors" and error.code != "timestamp-failed"
