"""Is a kit whole and genuine: the signature, the key, and every file missing, changed, added or a link."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from fieldkit import __version__
from fieldkit.finding import Finding
from fieldkit.home import Home
from fieldkit.kit import install, keys
from fieldkit.kit import manifest as manifests
from fieldkit.kit.errors import KitUnreadable, KitUnsound, stick_gone
from fieldkit.operator import Progress
from fieldkit.text import M, Message

KINDS: dict[str, Message] = {
    "missing": M("missing: {path}"),
    "changed": M("changed: {path}"),
    "added": M("not of the kit: {path}"),
    "link": M("a link, or no ordinary file: {path}"),
    "unread": M("cannot be read: {path}"),
}


class VerifiedKit(msgspec.Struct, frozen=True):
    """What was found. read: the manifest, unless it could not be read as one."""

    findings: tuple[Finding, ...]
    problems: tuple[install.FileProblem, ...] = ()
    read: manifests.ReadManifest | None = None

    @property
    def good(self) -> bool:
        return not any(finding.severity == "fail" for finding in self.findings)


def verify(
    folder: Path, home: Home, *, fingerprint: str = "", progress: Callable[[Progress], None] = lambda _: None
) -> VerifiedKit:
    """Check everything of the kit in `folder`; nothing is changed.

    fingerprint: of the key that has to have signed it, as head office told it.
    :raises KitMissing: there is no finished kit. :raises StickGone: its medium does not answer.
    """
    try:
        read = manifests.read_manifest(folder)
    except KitUnreadable as error:
        message = error.message if isinstance(error.message, Message) else M("The kit's manifest is damaged.")
        return VerifiedKit((Finding("manifest", "fail", message, detail=error.detail),))
    signature = _signature(read)
    severity, message = keys.judge(home, read.manifest.key, fingerprint)
    key = Finding("key", severity, message, detail=read.manifest.fingerprint)

    def report_bytes(done: int, total: int) -> None:
        progress(Progress(M("Comparing the files with the manifest"), done, total))

    try:
        problems = tuple(install.compare(folder, read.listed, report_bytes))
    except OSError as error:
        raise stick_gone(folder, error) from None
    findings = (signature, key, _files(read, problems), _version(read), _age(read, home))
    return VerifiedKit(findings, problems, read)


def _signature(read: manifests.ReadManifest) -> Finding:
    if read.genuine:
        return Finding("signature", "pass", M("The manifest's signature is right."))
    message = M("The manifest's signature is wrong: it was changed after it was signed.")
    return Finding("signature", "fail", message, hint=M("Get the kit from head office again."))


def _files(read: manifests.ReadManifest, problems: tuple[install.FileProblem, ...]) -> Finding:
    count = len(read.manifest.files)
    if not problems:
        return Finding("files", "pass", M("All {count} files are as the manifest says.", count=count))
    message = M("Files that are not as the manifest says: {count}", count=len(problems))
    return Finding("files", "fail", message, hint=M("Get the kit from head office again."))


def _version(read: manifests.ReadManifest) -> Finding:
    theirs = read.manifest.version
    if theirs == __version__:
        return Finding("version", "pass", M("The kit is for this release, {version}.", version=theirs))
    message = M("The kit is for fieldkit {theirs}; this is {ours}.", theirs=theirs, ours=__version__)
    hint = M("Its packages can be used; for its papers run its install.py first.")
    return Finding("version", "info", message, hint=hint)


def _age(read: manifests.ReadManifest, home: Home) -> Finding:
    older = keys.older(home, read.manifest)
    if older is not None:
        hint = M("Get the newest kit from head office; to take this one: kit load --older")
        return Finding("age", "fail", older, hint=hint)
    if not keys.newest(home, read.manifest.key):
        return Finding("age", "info", M("This home took no kit of this key that says when it was made."))
    return Finding("age", "pass", M("This home took no newer kit of this key."))


def genuine(folder: Path) -> manifests.ReadManifest:
    """The manifest, its signature checked.

    :raises KitUnsound: the signature is wrong.
    """
    read = manifests.read_manifest(folder)
    if not read.genuine:
        raise KitUnsound(
            M("The manifest's signature is wrong: it was changed after it was signed."),
            unchanged=M("Nothing was taken from the kit."),
            hint=M("Get the kit from head office again."),
        )
    return read
