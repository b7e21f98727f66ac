"""A visit's record as a file of one kind: the signed one where it was made, a draft marked as such before."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import msgspec

from fieldkit.home import home_folder
from fieldkit.operator import Operator, Option, Plan, Question, must_agree
from fieldkit.pdf import document
from fieldkit.record.build import build, name_of
from fieldkit.record.content import Language, RecordContent, decode
from fieldkit.record.errors import RecordMissing
from fieldkit.record.formats import FORMATS
from fieldkit.text import M, Message
from fieldkit.visit.model import RecordMade, Visit
from fieldkit.visit.visits import Visits


class ExportedRecord(msgspec.Struct, frozen=True):
    """What was written. draft: the visit has no record yet, so it was made from how things stand."""

    path: Path
    record: str
    format: str
    draft: bool
    signed: bool

    @property
    def message(self) -> Message:
        """What was written, in a sentence."""
        if self.draft:
            return M("Written as a draft, for the visit has no record yet: {path}", path=str(self.path))
        return M("Written: {path}", path=str(self.path))


async def export_asked(visits: Visits, visit: str, operator: Operator) -> ExportedRecord:
    """Write the record of `visit` as the kind of file and to the place that the person says; see `export`.

    :raises NotConsented: a file that is there stays as it is.
    """
    options = tuple(Option(name, format.label) for name, format in FORMATS.items())
    kind = await operator.ask(Question("format", M("Which kind of file?"), options))
    name = f"{file_name(visits.load(visit))}.{kind}"
    question = Question("out", M("Write it where?"), default=str(home_folder() / name), path=True)
    path = Path(await operator.ask(question)).expanduser()
    if path.is_dir():
        path = path / name
    overwrite = path.exists()
    if overwrite:
        plan = Plan(
            title=M("Replace the file that is there?"),
            steps=(M("{path} is replaced by the record.", path=str(path)),),
        )
        refused = M("Nothing was written: {path} stays as it is.", path=str(path))
        await must_agree(operator, plan, refused)
    return await asyncio.to_thread(export, visits, visit, kind, path, overwrite=overwrite)


def export(
    visits: Visits,
    visit: str,
    format: str,
    out: Path,
    *,
    record: str = "",
    language: Language | None = None,
    overwrite: bool = False,
) -> ExportedRecord:
    """Write the record of `visit` to `out`. format: one of `formats.FORMATS`.

    record: the name of an older one, after an amendment. language: of tables and drafts; a record keeps
    the language it was signed in.

    :raises RecordMissing: the visit has no record of that name. :raises OutputUnfit: `out` is there already.
    """
    now = visits.load(visit)
    made = _made(now, record)
    if made is not None:
        originals = {"pdf": made.pdf, "json": made.json}
        content = decode(visits.store.attachment(made.json))
    else:
        originals = {}
        content = _draft(visits, now, language or "vi")
    kind = FORMATS[format]
    if language is not None and kind.translated:
        content = msgspec.structs.replace(content, language=language)
    data = visits.store.attachment(originals[format]) if format in originals else kind.write(content)
    with document.written(out, overwrite=overwrite) as file:
        file.write(data)
    return ExportedRecord(out, content.name, format, made is None, made is not None and made.signed)


def file_name(visit: Visit) -> str:
    """What to call the file of a record as the visit stands, without its ending; a draft is called so."""
    made = _made(visit, "")
    return made.name if made is not None else f"{name_of(visit)}-draft"


def _made(visit: Visit, record: str) -> RecordMade | None:
    """The record meant; None for a visit that has none as it stands now."""
    if not record:
        return visit.records[-1] if visit.state == "recorded" else None
    found = next((record_made for record_made in visit.records if record_made.name == record), None)
    if found is None:
        raise RecordMissing(
            M("The visit {visit} has no record {record}.", visit=visit.id, record=record),
            hint=M("`fieldkit visit show` lists its records."),
        )
    return found


def _draft(visits: Visits, visit: Visit, language: Language) -> RecordContent:
    made = datetime.now().astimezone()
    return build(visit, visits.store, visits.profiles, made=made, language=language, draft=True)
