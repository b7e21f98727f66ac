"""What the finish screen has done: record, export, bundle, receipts. It asks through the operator."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit.errors import NotConsented
from fieldkit.home import home_folder
from fieldkit.operator import Operator, Option, Plan, Progress, Question, said
from fieldkit.text import M, Said
from fieldkit.tui.desk import Desk
from fieldkit.tui.terminal import signs

if TYPE_CHECKING:
    from fieldkit.sync.status import SentBundle
    from fieldkit.visit.model import Visit


async def hand_over(desk: Desk, visit: Visit, operator: Operator) -> Sequence[Said]:
    """Sign-off, record, signature, verification: of the visit as it was shown."""
    from fieldkit.record.handover import hand_over as make

    made = await make(desk.visits, visit.id, operator, modules=desk.modules, reviewed=visit)
    return [made.told]


async def export(desk: Desk, visit: str, operator: Operator) -> Sequence[Said]:
    """The record as a file of the kind and at the place the person says."""
    from fieldkit.record.export import export as write
    from fieldkit.record.export import file_name
    from fieldkit.record.formats import FORMATS

    options = tuple(Option(name, format.label) for name, format in FORMATS.items())
    kind = await operator.ask(Question("format", M("Which kind of file?"), options))
    name = file_name(desk.visits.load(visit))
    place = str(home_folder() / f"{name}.{kind}")
    path = Path(
        await operator.ask(Question("out", M("Write it where?"), default=place, path=True))
    ).expanduser()
    if path.is_dir():
        path = path / f"{name}.{kind}"
    overwrite = path.exists()
    if overwrite and not await operator.consent(_replacing(path)):
        return [M("Nothing was written: {path} stays as it is.", path=str(path))]
    made = await asyncio.to_thread(write, desk.visits, visit, kind, path, overwrite=overwrite)
    if made.draft:
        return [M("Written as a draft, for the visit has no record yet: {path}", path=str(made.path))]
    return [M("Written: {path}", path=str(made.path))]


async def put_bundle(desk: Desk, operator: Operator) -> Sequence[Said]:
    """What the folder does not have yet, into bundles there; then what waits."""
    from fieldkit.sync.push import push_agreed
    from fieldkit.sync.recipients import load
    from fieldkit.sync.target import carrier

    recipients = await asyncio.to_thread(load, desk.home)
    question = Question(
        "target", M("Into which folder? A USB stick, a share."), default=_last(desk), path=True
    )
    target = await operator.ask(question)
    try:
        done = await push_agreed(desk.visits.store, carrier(target), recipients, operator)
    except NotConsented as error:
        return [error.message]
    texts: list[Said] = [M("Put: {name}", name=name) for name in done.bundles]
    if not texts:
        texts.append(M("Nothing new: the target has everything already."))
    if done.missing:
        count = len(done.missing)
        texts.append(M("Attachments that are damaged or gone here and were not put: {count}.", count=count))
    return [*texts, *_waiting(done.waiting)]


async def waiting(desk: Desk) -> Sequence[Said]:
    """What was put and has no receipt, and what was not put yet."""
    from fieldkit.sync.status import status

    now = await asyncio.to_thread(status, desk.visits.store)
    received = M("Head office has every entry up to {seq}.", seq=now.received)
    return [
        *_waiting(now.waiting),
        M("Entries not put yet: {count}.", count=now.pending),
        received if now.received else M("No receipt from head office yet."),
    ]


def progress_words(progress: Progress) -> str:
    """How far some work is, drawn and in words."""
    text = said(progress.text)
    if not progress.total:
        return text
    share = 100 * min(progress.done, progress.total) // progress.total
    return f"{signs.bar(progress.done, progress.total, 12)} {share} %  {text}"


def _replacing(path: Path) -> Plan:
    return Plan(
        title=M("Replace the file that is there?"),
        steps=(M("{path} is replaced by the record.", path=str(path)),),
    )


def _last(desk: Desk) -> str:
    """Where the last bundle went."""
    from fieldkit.sync.status import status

    sent = status(desk.visits.store).sent
    return sent[-1].target if sent else ""


def _waiting(sent: Sequence[SentBundle]) -> list[Said]:
    if not sent:
        return [M("Nothing waits for a receipt.")]
    texts: list[Said] = [M("Waiting for a receipt from head office: {count}", count=len(sent))]
    return texts + [
        M(
            "{bundle}, put {when} into {target}",
            bundle=bundle.bundle,
            when=bundle.wall[:16],
            target=bundle.target,
        )
        for bundle in sent
    ]
