"""Profiles from YAML: the shipped ones, overlaid file by file with the technician's own in the home."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from fieldkit.home import Home, below, shipped, yaml_files
from fieldkit.profile import names
from fieldkit.profile.driver import Driver
from fieldkit.profile.errors import ProfileInvalid
from fieldkit.profile.model import Authority, Bureau, Profiles, RolloutPlan, Services, TokenProfile
from fieldkit.profile.rules import RuleSet
from fieldkit.text import M, Message
from fieldkit.yaml_model import Document, Invalid, Problem, keys_of, read, text_of

_SERVICES = "services.yaml"
_USB = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_ATR = re.compile(r"3[BF?]([0-9A-F?]{2})+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CODE = re.compile(r"[A-Z0-9][A-Z0-9._-]{0,31}")
_CERTIFICATE_SERIAL = re.compile(r"(0x)?[0-9A-Fa-f]+([ :][0-9A-Fa-f]+)*")
_TOKEN_SERIAL = re.compile(r"[0-9A-Za-z./_ -]{1,32}")

Place = tuple[str | int, ...]
Wrong = Iterator[tuple[Place, Message]]


class _Named(Protocol):
    @property
    def id(self) -> str: ...


N = TypeVar("N", bound=_Named)


def load(home: Home, *over: Path) -> Profiles:
    """All profiles, shipped and the home's; a file of the home replaces the shipped one of its name.

    over: folders whose files replace the home's.

    :raises ProfileInvalid: with every problem of every file.
    """
    folders = (*over, home.profiles, home.path, shipped("profiles"))
    problems: list[Problem] = []
    tokens = _read_all(_files(folders, "tokens"), TokenProfile, _token, problems)
    authorities = _read_all(_files(folders, "authorities"), Authority, _authority, problems)
    rules = _read_all(_files(folders, "rules"), RuleSet, _rules, problems)
    plans = _read_all(_files(folders, "plan"), RolloutPlan, _plan, problems)
    services = _read_one(_path(folders, _SERVICES), Services, _services, problems)
    for plan in plans.values() if not problems else ():
        for b, bureau in enumerate(plan.value.bureaus):
            problems += [plan.problem(*wrong) for wrong in _no_profile(bureau, b, tokens, authorities)]
    if problems:
        raise ProfileInvalid(problems)
    chosen = max(
        (document.value for document in plans.values()), key=lambda plan: (not plan.sample, plan.issued)
    )
    return Profiles(
        tokens=_values(tokens),
        authorities=_values(authorities),
        rules=_values(rules),
        services=services.value.services if services else (),
        plan=chosen,
        folders=folders,
    )


def is_profile(path: Path) -> bool:
    """Whether a file lies where profiles of some kind lie."""
    return _kind(path) in _KINDS


def kind_of(path: Path) -> str:
    """What kind of profile a file is: by the folder it lies in, else by its own keys; "" for none."""
    if is_profile(path):
        return _kind(path)
    try:
        keys = keys_of(text_of(path), str(path))
    except Invalid:
        return ""
    if "sections" in keys:
        return ""
    own = {kind: keys & {field.encode_name for field in msgspec.structs.fields(shape)} - {"id", "title"}
           for kind, (shape, _) in _KINDS.items()}  # fmt: skip
    likeliest = max(own, key=lambda kind: len(own[kind]))
    return likeliest if own[likeliest] else ""


class KnownNames(msgspec.Struct, frozen=True):
    """What a plan may name besides profiles: checklists, and attributes of a subject (in capitals)."""

    checklists: Collection[str]
    attributes: Collection[str]


def check(path: Path, kind: str = "", home: Home | None = None, known: KnownNames | None = None) -> None:
    """Read one profile's file on its own, as of `kind`, or by the folder it is in.

    home, known: where a plan's tokens, authorities, checklists and attributes have to be found; nothing of
    the kind is looked for unless given.

    :raises ProfileInvalid: with every problem of it.
    """
    shape, wrong = _KINDS.get(kind or _kind(path), (None, None))
    if shape is None or wrong is None:
        message = M(
            "This is no profile: it is neither {file} nor in one of the folders {names}.",
            file=_SERVICES,
            names=", ".join(sorted(kind for kind in _KINDS if kind != "services")),
        )
        raise ProfileInvalid([Problem(str(path), 1, 1, message)])
    problems: list[Problem] = []
    document = _read_one(path, shape, wrong, problems)
    if (
        document is not None
        and isinstance(document.value, RolloutPlan)
        and home is not None
        and known is not None
    ):
        named = _unknown(document.value, path, home, known)
        problems += [document.problem(place, message) for place, message in named]
    if problems:
        raise ProfileInvalid(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _unknown(plan: RolloutPlan, path: Path, home: Home, known: KnownNames) -> Wrong:
    """What a plan names and nobody describes, and what cannot be compared with a token or certificate."""
    folders = (path.absolute().parent.parent, home.profiles, home.path, shipped("profiles"))
    ignored: list[Problem] = []  # of other files, each told when it is checked itself
    tokens = _read_all(_files(folders, "tokens"), TokenProfile, _token, ignored)
    authorities = _read_all(_files(folders, "authorities"), Authority, _authority, ignored)
    for p, phase in enumerate(plan.phases):
        for t, task in enumerate(phase.tasks):
            if task.checklist and task.checklist not in known.checklists:
                message = M(
                    "There is no checklist {id}. Known: {known}.",
                    id=task.checklist,
                    known=", ".join(sorted(known.checklists)),
                )
                yield ("phases", p, "tasks", t, "checklist"), message
    for b, bureau in enumerate(plan.bureaus):
        yield from _no_profile(bureau, b, tokens, authorities)
        dossier = bureau.dossier
        at: Place = ("bureaus", b, "dossier")
        for attribute in dossier.subject:
            if attribute.upper() not in known.attributes:
                message = M("`{name}` is no attribute of a subject, such as CN, O, OU, L, C.", name=attribute)
                yield (*at, "subject", attribute), message
        for key, serial, form in (
            ("certificate_serial", dossier.certificate_serial, _CERTIFICATE_SERIAL),
            ("token_serial", dossier.token_serial, _TOKEN_SERIAL),
        ):
            if serial and not form.fullmatch(serial):
                message = M("`{value}` cannot be a serial number; it would never be found.", value=serial)
                yield (*at, key), message


def _no_profile(bureau: Bureau, b: int, tokens: Collection[str], authorities: Collection[str]) -> Wrong:
    for key, id, known in (("token", bureau.token, tokens), ("authority", bureau.authority, authorities)):
        if id not in known:
            message = M("There is no profile `{id}`. Known: {known}.", id=id, known=", ".join(known))
            yield ("bureaus", b, key), message


def _kind(path: Path) -> str:
    return "services" if path.name == _SERVICES else path.absolute().parent.name


def _files(folders: Iterable[Path], kind: str) -> list[Path]:
    return yaml_files(*(folder / kind for folder in folders))


def _path(folders: Iterable[Path], name: str) -> Path | None:
    return next((path for folder in folders if (path := folder / name).is_file()), None)


def _read_all(
    paths: Iterable[Path], shape: type[N], wrong: Callable[[N], Wrong], problems: list[Problem]
) -> dict[str, Document[N]]:
    documents: dict[str, Document[N]] = {}
    for path in paths:
        document = _read_one(path, shape, wrong, problems)
        if document is None:
            continue
        id = document.value.id
        if not names.ID.fullmatch(id):
            problems.append(
                document.problem(("id",), M("`{id}` is not an id: small letters, digits and - only.", id=id))
            )
        elif id in documents:
            message = M("The id `{id}` is taken by {file}.", id=id, file=documents[id].name)
            problems.append(document.problem(("id",), message))
        documents[id] = document
    return documents


def _read_one(
    path: Path | None, shape: type[Any], wrong: Callable[[Any], Wrong], problems: list[Problem]
) -> Document[Any] | None:
    if path is None:
        return None
    try:
        document = read(text_of(path, ProfileInvalid), str(path), shape, ProfileInvalid)
    except ProfileInvalid as error:
        problems += error.problems
        return None
    problems += [document.problem(place, message) for place, message in wrong(document.value)]
    return document


def _values(documents: dict[str, Document[N]]) -> dict[str, N]:
    return {id: document.value for id, document in documents.items()}


def _token(profile: TokenProfile) -> Wrong:
    for u, usb in enumerate(profile.usb):
        if not _USB.fullmatch(usb.id):
            yield ("usb", u, "id"), M("`{id}` is not a USB id such as 04e6:5116 (small letters).", id=usb.id)
    for a, atr in enumerate(profile.atr):
        if not _ATR.fullmatch(atr.value):
            yield ("atr", a, "value"), M("`{value}` is not an ATR in capital hexadecimal.", value=atr.value)
    policy = profile.pin_policy
    if not 0 < policy.min <= policy.max <= 255:
        yield (
            ("pin_policy",),
            M("A PIN's `min` and `max` are between 1 and 255, and `min` is not the larger."),
        )
    for system, valid in names.PATHS.items():
        for m, module in enumerate(getattr(profile.modules, system)):
            if not valid(module.path):
                yield ("modules", system, m, "path"), _bad_path(module.path, system)
    for place, message in _driver(profile.driver):
        yield ("driver", *place), message


_SYSTEMS = {"deb": "linux", "rpm": "linux", "msi": "windows", "exe": "windows", "pkg": "macos"}
"""What each kind of a maker's file is for."""


def _driver(driver: Driver) -> Wrong:
    """What of a driver's names could be taken for something else by an installer."""
    for s, unit in enumerate(driver.services):
        if not names.UNIT.fullmatch(unit):
            yield ("services", s), M("`{name}` is not the name of a unit of systemd.", name=unit)
    for a, way in enumerate(driver.apt):
        for p, package in enumerate(way.packages):
            if not names.PACKAGE.fullmatch(package):
                yield ("apt", a, "packages", p), _bad_package(package)
        for package, version in way.least.items():
            if not names.PACKAGE.fullmatch(package):
                yield ("apt", a, "least", package), _bad_package(package)
            if not names.VERSION.fullmatch(version):
                yield ("apt", a, "least", package), M("`{version}` is not a version.", version=version)
        if not names.is_posix_path(way.module):
            yield ("apt", a, "module"), _bad_path(way.module, "linux")
    for kind, system in _SYSTEMS.items():
        for f, file in enumerate(getattr(driver, kind)):
            if file.sha256 and not _SHA256.fullmatch(file.sha256):
                yield (kind, f, "sha256"), _bad_hash(file.sha256)
            if not names.FILE.fullmatch(file.file):
                yield (kind, f, "file"), M("`file` is a name in the kit, without folders.")
            if not names.PATHS[system](file.module):
                yield (kind, f, "module"), _bad_path(file.module, system)
            if file.removal and not names.PATHS[system](file.removal[0]):
                yield (
                    (kind, f, "removal"),
                    M("`removal` begins with a program. {why}", why=str(_bad_path(file.removal[0], system))),
                )
    for c, conflict in enumerate(driver.conflicts):
        if conflict.kind == "package" and not (
            names.PACKAGE.fullmatch(conflict.name) or names.RPM.fullmatch(conflict.name)
        ):
            yield ("conflicts", c, "name"), _bad_package(conflict.name)
        if conflict.kind == "service" and not names.SERVICE.fullmatch(conflict.name):
            yield ("conflicts", c, "name"), M("`{name}` is not the name of a service.", name=conflict.name)
        if conflict.kind == "module" and not names.FILE.fullmatch(conflict.name):
            yield ("conflicts", c, "name"), M("`name` is that of a file, without folders.")


def _bad_package(name: str) -> Message:
    return M("`{name}` is not the name of a package.", name=name)


def _bad_path(path: str, system: str) -> Message:
    if system == "windows":
        return M(
            "`{path}` is not below C:\\Windows or C:\\Program Files, where only an administrator puts files.",
            path=path,
        )
    return M("`{path}` does not lead to a file from the root on.", path=path)


def _bad_hash(value: str) -> Message:
    return M("`{value}` is not a SHA-256 in small hexadecimal.", value=value)


def _authority(authority: Authority) -> Wrong:
    for key in ("anchors", "intermediates"):
        for a, name in enumerate(getattr(authority, key)):
            try:
                below(Path("/profiles"), name)
            except ValueError:
                yield (key, a), M("`{name}` leaves the folder of the profiles.", name=name)
    for key in ("tsa", "ocsp", "crl", "repository"):
        for e, endpoint in enumerate(getattr(authority, key)):
            if not endpoint.url.startswith(("http://", "https://")):
                yield (key, e, "url"), _bad_url(endpoint.url)
    for c, certificate in enumerate(authority.certificates):
        if certificate.sha256 and not _SHA256.fullmatch(certificate.sha256):
            yield ("certificates", c, "sha256"), _bad_hash(certificate.sha256)


def _bad_url(url: str) -> Message:
    return M("`{url}` is not an address that begins with http:// or https://.", url=url)


def _rules(rules: RuleSet) -> Wrong:
    if rules.valid_to is not None and rules.valid_to < rules.valid_from:
        yield ("valid_to",), M("The last day is before the first.")


def _services(services: Services) -> Wrong:
    seen: set[str] = set()
    for s, service in enumerate(services.services):
        if service.id in seen:
            yield ("services", s, "id"), M("The service `{id}` is here twice.", id=service.id)
        seen.add(service.id)
        if service.url and not service.url.startswith(("http://", "https://")):
            yield ("services", s, "url"), _bad_url(service.url)


def _plan(plan: RolloutPlan) -> Wrong:
    codes: set[str] = set()
    for b, bureau in enumerate(plan.bureaus):
        if not _CODE.fullmatch(bureau.code):
            yield (
                ("bureaus", b, "code"),
                M("`{code}` is not a code: capitals, digits and . _ - only.", code=bureau.code),
            )
        if bureau.code in codes:
            yield ("bureaus", b, "code"), M("The bureau `{code}` is here twice.", code=bureau.code)
        codes.add(bureau.code)
    tasks: set[str] = set()
    for p, phase in enumerate(plan.phases):
        for t, task in enumerate(phase.tasks):
            place: Place = ("phases", p, "tasks", t)
            if task.id in tasks:
                yield (*place, "id"), M("The task `{id}` is here twice.", id=task.id)
            tasks.add(task.id)
            if task.ends < task.starts:
                yield (*place, "ends"), M("The last day is before the first.")
            for c, code in enumerate(task.bureaus):
                if code not in codes:
                    yield (*place, "bureaus", c), M("The plan has no bureau {code}.", code=code)


_KINDS: dict[str, tuple[type[Any], Callable[[Any], Wrong]]] = {
    "tokens": (TokenProfile, _token),
    "authorities": (Authority, _authority),
    "rules": (RuleSet, _rules),
    "plan": (RolloutPlan, _plan),
    "services": (Services, _services),
}
