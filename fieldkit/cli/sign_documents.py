"""Which documents `fieldkit sign` signs, and what is asked about them before any PIN."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fieldkit import errors
from fieldkit.cli.frame import Call
from fieldkit.operator import Plan, SecretRequest
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.secret import Secret
    from fieldkit.signature.batch import Job
    from fieldkit.signature.preflight import Preflight

NOT_SIGNED = M("Nothing was signed.")


def pdfs(sources: Sequence[Path]) -> list[Path]:
    """The documents: those named, and in place of a folder those in it by name.

    :raises Missing: a folder holds none.
    """
    found: list[Path] = []
    for source in sources:
        if not source.is_dir():
            found.append(source)
            continue
        inside = sorted(
            each
            for each in source.iterdir()
            if each.suffix.lower() == ".pdf" and not each.name.startswith(".")
        )
        if not inside:
            raise errors.Missing(
                M("There is no PDF in the folder {folder}.", folder=str(source)), unchanged=NOT_SIGNED
            )
        found += inside
    return found


def jobs_for(sources: Sequence[Path], out: Path, *, several: bool) -> list[Job]:
    """Each source with its output: `out` itself for one, files of the same names in `out` for several."""
    from fieldkit.signature.batch import Job

    if not several and not out.is_dir():
        return [Job(sources[0], out)]
    if len({source.name for source in sources}) < len(sources):
        raise errors.Misused(
            M("Two of the files have the same name."),
            unchanged=NOT_SIGNED,
            hint=M("Sign them in two runs, into two folders."),
        )
    out.mkdir(parents=True, exist_ok=True)
    return [Job(source, out / source.name) for source in sources]


def looked_at(call: Call, jobs: Sequence[Job], **given: Any) -> tuple[list[Job], Secret | None]:
    """The jobs with what keeps each from being signed, told before a PIN is asked for; and the password."""
    from fieldkit.pdf.errors import DocumentEncrypted
    from fieldkit.signature.preflight import preflight

    kind = given["stamp"]

    def look(job: Job, password: Secret | None) -> Preflight:
        return preflight(job.source, password=password, field=given["field"], kind=kind)

    looked = [look(job, None) for job in jobs]
    locked = [
        at
        for at, each in enumerate(looked)
        if isinstance(each.problem, DocumentEncrypted) and each.problem.data.get("password", True)
    ]
    password = password_of(call, jobs[locked[0]].source) if locked else None
    for at in locked if password is not None else ():
        looked[at] = look(jobs[at], password)
    rewrites = [at for at, each in enumerate(looked) if each.verdict == "rewrite"]
    agreed = bool(rewrites) and _rewrite(call, [jobs[at].source for at in rewrites], given["rewrite"])
    made = []
    for at, (job, found) in enumerate(zip(jobs, looked, strict=True)):
        rewrite = agreed and at in rewrites
        made.append(msgspec.structs.replace(job, rewrite=rewrite, problem=None if rewrite else found.problem))
        if not call.json:
            for finding in found.findings:
                if finding.severity == "warning":
                    call.console().say(finding)
    return made, password


def password_of(call: Call, source: Path) -> Secret | None:
    """The password of an encrypted document, from the person or the file given; None if nobody gives one."""
    from fieldkit.cli.console import SecretMissing

    title = M("Password of the document {name}", name=source.name)
    try:
        return asyncio.run(call.console().secret(SecretRequest(role="password", title=title)))
    except SecretMissing:
        return None


def _rewrite(call: Call, sources: Sequence[Path], agreed: bool) -> bool:
    """Whether the person agrees that qpdf rewrites copies of these, which can be signed only then."""
    console = call.console()
    if not agreed and not call.yes and not console.attended:
        return False
    plan = Plan(
        title=M("Rewrite {count} document(s) with qpdf, which can be signed only then", count=len(sources)),
        steps=tuple(
            M("A copy of {name} is written anew, then signed", name=source.name) for source in sources
        ),
        keeps=M("What the pages show stays the same, and the documents themselves are not changed."),
    )
    if agreed:
        from fieldkit.cli.console import Console

        console = Console(yes=True, secret_files={})
    return asyncio.run(console.consent(plan))


def may_replace(call: Call, jobs: Sequence[Job], agreed: bool) -> bool:
    """Whether outputs that are there already may be replaced: said by option, or asked of who is there."""
    there = [job.out for job in jobs if job.out.exists() and job.problem is None]
    if agreed or not there or call.yes or not call.console().attended:
        return agreed
    plan = Plan(
        title=M("Replace {count} file(s) that are there already", count=len(there)),
        steps=tuple(M("{name} is replaced by the signed document", name=str(path)) for path in there),
    )
    return asyncio.run(call.console().consent(plan))
