"""What head office gives along: profiles, checklists, the plan with chosen dossiers, anchors, samples.

Only files that the profiles name, and of known kinds, are taken: nothing secret may ride along by accident.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import msgspec
import yaml

from fieldkit.checklist.load import files
from fieldkit.home import Home, yaml_files
from fieldkit.kit.errors import ChoiceUnknown, NameUnfit, SourceDamaged
from fieldkit.profile.model import Bureau, Phase, Profiles, RolloutPlan, Task
from fieldkit.sync import recipients
from fieldkit.text import M

LARGEST_SAMPLE = 64 * 10**6  # bytes; it is for trials
LETTER = "samples/sample-letter.pdf"


class KitPaper(msgspec.Struct, frozen=True):
    """A file to be: its path in the kit, and its content."""

    path: str
    content: bytes


def bureaus(profiles: Profiles, codes: Sequence[str]) -> tuple[Bureau, ...]:
    """The chosen bureaus of the plan in force, by code; all where none is named.

    :raises ChoiceUnknown: the plan has no such bureau.
    """
    known = {bureau.code: bureau for bureau in profiles.plan.bureaus}
    for code in codes:
        if code not in known:
            raise ChoiceUnknown(
                M("The plan has no bureau {code}.", code=code),
                hint=M("Known here: {names}.", names=", ".join(known)),
            )
    return tuple(known[code] for code in sorted(set(codes) or known))


def gather(
    home: Home, profiles: Profiles, chosen: Sequence[Bureau], samples: Sequence[Path]
) -> tuple[KitPaper, ...]:
    """Everything of head office's that goes into the kit, except lists that are fetched."""
    kit_papers = [
        *_profiles(home, profiles, chosen),
        *_checklists(home),
        *_recipients(home, profiles),
        *_samples(profiles.plan.issued, samples),
    ]
    by_path: dict[str, KitPaper] = {}
    for paper in kit_papers:
        if by_path.setdefault(paper.path, paper) != paper:  # two authorities may share an anchor's file
            raise NameUnfit(
                M("Two files would have one name in the kit: {path}", path=paper.path),
                unchanged=M("The kit was not begun."),
                hint=M("Rename one of them."),
            )
    return tuple(by_path.values())


def anchorless(profiles: Profiles, chosen: Sequence[Bureau]) -> list[str]:
    """The authorities of the chosen bureaus that have no trust anchor in place."""
    names = sorted({bureau.authority for bureau in chosen})
    return [name for name in names if not profiles.anchors(name)]


def _profiles(home: Home, profiles: Profiles, chosen: Sequence[Bureau]) -> Iterator[KitPaper]:
    for kind in ("tokens", "authorities", "rules"):
        for path in yaml_files(*(folder / kind for folder in profiles.folders)):
            yield KitPaper(f"profiles/{kind}/{path.name}", path.read_bytes())
    services = profiles.file("services.yaml")
    if services is not None:
        yield KitPaper("profiles/services.yaml", services.read_bytes())
    for authority in (profiles.authorities[name] for name in profiles.trusted):
        for name in (*authority.anchors, *authority.intermediates):
            certificate = profiles.file(name)
            if certificate is not None:
                yield KitPaper(f"profiles/{name}", _public(certificate))
        for listed in sorted((home.profiles / "authorities" / authority.id).glob("*.crl")):
            yield KitPaper(f"profiles/authorities/{authority.id}/{listed.name}", listed.read_bytes())
    kept, source = only(profiles.plan, chosen), _plan_file(profiles)
    yield KitPaper(
        f"profiles/plan/{source.name}", source.read_bytes() if kept == profiles.plan else plan_text(kept)
    )


def only(plan: RolloutPlan, chosen: Sequence[Bureau]) -> RolloutPlan:
    """The plan with these bureaus alone, and the tasks that are for any of them."""
    codes = {bureau.code for bureau in chosen}
    phases: list[Phase] = []
    for phase in plan.phases:
        tasks: list[Task] = []
        for task in phase.tasks:
            left = tuple(code for code in task.bureaus if code in codes)
            if left or not task.bureaus:
                tasks.append(msgspec.structs.replace(task, bureaus=left))
        if tasks:
            phases.append(msgspec.structs.replace(phase, tasks=tuple(tasks)))
    kept = tuple(bureau for bureau in plan.bureaus if bureau.code in codes)
    return msgspec.structs.replace(plan, phases=tuple(phases), bureaus=kept)


def plan_text(plan: RolloutPlan) -> bytes:
    """A plan as its file has it."""
    plain = msgspec.to_builtins(plan, builtin_types=(date,))
    text: str = yaml.safe_dump(plain, allow_unicode=True, sort_keys=False, width=10**6)
    return text.encode("utf-8")


def _plan_file(profiles: Profiles) -> Path:
    """The file that the plan in force came from; under its name the kit's plan takes its place again."""
    for path in yaml_files(*(folder / "plan" for folder in profiles.folders)):
        with path.open(encoding="utf-8") as file:
            document = yaml.safe_load(file)
        if isinstance(document, dict) and document.get("id") == profiles.plan.id:
            return path
    raise AssertionError(profiles.plan.id)  # it was loaded from one of them


def _checklists(home: Home) -> Iterator[KitPaper]:
    for path in files(home):
        yield KitPaper(f"checklists/{path.name}", path.read_bytes())


def _recipients(home: Home, profiles: Profiles) -> Iterator[KitPaper]:
    folder = recipients.folder(home)
    samples = () if profiles.plan.sample else _sample_keys(home)
    for path in sorted((*folder.glob("*.age"), *folder.glob("*.hub"))):
        content = _public(path)
        if any(key in content for key in samples):
            raise SourceDamaged(
                M("{file} is the sample authority's key, whose other half lies open.", file=path.name),
                unchanged=M("The kit was not begun."),
                hint=M("Put head office's own public key in its place, and build again."),
            )
        yield KitPaper(f"recipients/{path.name}", content)


def _sample_keys(home: Home) -> list[bytes]:
    """The public keys of a sample authority that lies in this home, or in the demo's inside it."""
    folders = (home.path / "sample-authority", home.path / "demo" / "sample-authority")
    return [path.read_bytes().strip() for folder in folders for path in folder.glob("*.age")]


def _samples(day: date, paths: Sequence[Path]) -> Iterator[KitPaper]:
    import tempfile

    from fieldkit.sample.documents import letter

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "letter.pdf"
        letter(made, signer_title="Trưởng cơ quan", signer_name="Nguyễn Thị Mẫu", on=day)
        yield KitPaper(LETTER, made.read_bytes())
    yield from map(sample, paths)


def sample(path: Path) -> KitPaper:
    """A PDF to take along for trials.

    :raises SourceDamaged: it is none, or too large to be one.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST_SAMPLE + 1)
    if len(content) > LARGEST_SAMPLE:
        raise SourceDamaged(
            M("{file} is larger than {size} MB.", file=path.name, size=LARGEST_SAMPLE // 10**6),
            unchanged=M("The kit was not begun."),
            hint=M("Name a smaller PDF: samples are for trial signatures."),
        )
    if not content.startswith(b"%PDF-"):
        raise SourceDamaged(
            M("{file} is not a PDF.", file=path.name),
            unchanged=M("The kit was not begun."),
            hint=M("Name sample documents as PDF files."),
        )
    return KitPaper(f"samples/{path.name}", content)


def _public(path: Path) -> bytes:
    content = path.read_bytes()
    if b"PRIVATE KEY" in content or b"AGE-SECRET-KEY" in content.upper():
        raise SourceDamaged(
            M("{file} holds a private key; it does not go into a kit.", file=path.name),
            unchanged=M("The kit was not begun."),
            hint=M("Leave only the public part in the file, and keep the key where it is guarded."),
        )
    return content
