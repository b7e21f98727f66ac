"""Exchange signed documents in packages as the profiles ask for it, and rehearse that between two agencies:

    packed = await pack_documents(files, out, header, signing)
    opened = open_received(profiles, Path("in.edxml"), folder, material)
    rehearsal = await rehearse_exchange(operator, files, folder, header, material)

Nothing is sent: a folder stands for the way between sender and receiver.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from fieldkit import errors
from fieldkit.access import make_private_folder
from fieldkit.action.trust_material import TrustMaterial
from fieldkit.finding import Finding, Overall
from fieldkit.operator import Operator, Plan, Progress
from fieldkit.profile.model import Dossier, Profiles
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.exchange.edxml import MessageHeader
    from fieldkit.exchange.packages import OpenedPackage, PackedPackage, Rehearsal
    from fieldkit.signature.raw_signer import RawSigner

SENDER, RECEIVER = "000.MAU.01", "000.MAU.02"
"""The sample agencies."""

Result = TypeVar("Result")


class Signing(Protocol):
    """Does a work with the key of a token, after its PIN."""

    def __call__(self, work: Callable[[RawSigner], Result]) -> Coroutine[object, None, Result]: ...


class ExchangeRehearsal(msgspec.Struct, frozen=True):
    """Both sides of an exchange. noticed: the receiver refused a copy that was changed on the way."""

    rehearsal: Rehearsal
    noticed: bool
    milliseconds: int

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The receiver's, the sender's, then what became of the changed copy."""
        change = (
            Finding("package-change-noticed", "pass", M("A package changed on the way is refused."))
            if self.noticed
            else Finding("package-change-noticed", "fail", M("A package changed on the way was not refused."))
        )
        return (*self.rehearsal.checks, change)

    @property
    def verdict(self) -> Overall:
        return self.rehearsal.verdict if self.noticed else "fail"


def header_of(
    sender: tuple[str, str],
    receiver: tuple[str, str],
    *,
    number: str,
    notation: str,
    subject: str,
    signer: str = "",
    position: str = "",
) -> MessageHeader:
    """The header of a package of today. sender, receiver: each agency's code and name."""
    from fieldkit.exchange.edxml import MessageHeader, Organ
    from fieldkit.stamp.stamp import VIETNAM

    return MessageHeader(
        sender=Organ(*sender),
        receiver=Organ(*receiver),
        number=number,
        notation=notation,
        place="",
        date=datetime.now(VIETNAM).date().isoformat(),
        subject=subject,
        document="",
        signer=signer,
        position=position,
    )


async def pack_documents(
    sources: Sequence[Path], out: Path, header: MessageHeader, signing: Signing | None = None
) -> PackedPackage:
    """Wrap the files into the package `out`, signed as a whole where `signing` is given.

    :raises PackageUnfit, OutputUnfit: nothing was written.
    """
    from fieldkit.exchange.packages import pack

    return await _with_key(lambda signer: pack(sources, out, header, signer=signer), signing)


def open_received(
    profiles: Profiles,
    package: Path,
    folder: Path,
    material: TrustMaterial,
    *,
    receiver: str = "",
    signature: bool | None = None,
    draw: bool = True,
) -> OpenedPackage:
    """Judge all of `package` as its receiver must, and put documents and answer into `folder`.

    signature: the package itself has to be signed, or need not be; one that the profile asks for has to be
    either way, and None leaves it to the profile. draw: pages are drawn to see what was changed on them.

    :raises PackageUnfit: it is no such package; nothing of it was used.
    """
    from fieldkit.exchange.packages import open_package
    from fieldkit.validation.judgement import Policy

    wanted = profiles.packages_signed
    return open_package(
        package,
        folder,
        trust=material.anchors,
        crls=material.crls,
        receiver=receiver,
        policy=Policy(purposes=material.purposes),
        signature=wanted if wanted or signature is None else signature,
        senders=profiles.senders,
        draw=draw,
    )


async def rehearse_exchange(
    operator: Operator,
    sources: Sequence[Path],
    folder: Path,
    header: MessageHeader,
    material: TrustMaterial,
    *,
    known: Mapping[str, Sequence[Dossier]] | None = None,
    signing: Signing | None = None,
    consented: bool = False,
) -> ExchangeRehearsal:
    """Pack as the sender, open as the receiver, read the answer, and have a changed copy refused.

    known: by the code of an agency what was asked for its certificates.

    :raises NotConsented: nothing was packed.
    """
    from fieldkit.exchange.packages import rehearse
    from fieldkit.validation.judgement import Policy

    if not consented and not await operator.consent(_plan(sources, signed=signing is not None)):
        raise errors.NotConsented(M("Nothing was packed: not agreed to."))

    def work(signer: RawSigner | None) -> ExchangeRehearsal:
        make_private_folder(folder)
        began = time.monotonic()
        rehearsal = rehearse(
            sources,
            folder,
            header,
            trust=material.anchors,
            crls=material.crls,
            policy=Policy(purposes=material.purposes),
            signer=signer,
            senders=known or {},
        )
        took = round(1000 * (time.monotonic() - began))
        return ExchangeRehearsal(rehearsal, _change_noticed(Path(rehearsal.packed.out), material), took)

    operator.progress(Progress(M("Packing and opening"), 0, 2))
    result = await _with_key(work, signing)
    operator.progress(Progress(M("Package opened and answered"), 2, 2))
    return result


async def _with_key(work: Callable[[RawSigner | None], Result], signing: Signing | None) -> Result:
    return await (asyncio.to_thread(work, None) if signing is None else signing(work))


def _plan(sources: Sequence[Path], *, signed: bool) -> Plan:
    return Plan(
        title=M("Rehearse the document exchange"),
        steps=(
            *(M("Pack {name}", name=source.name) for source in sources),
            *((M("Sign the package with the token"),) if signed else ()),
            M("Open the package as the receiving agency must, and verify every part"),
            M("Change the package on the way in a copy: the receiver must then refuse it"),
        ),
        keeps=M("Two sample agencies and a folder stand for the exchange. Nothing leaves this machine."),
    )


def _change_noticed(package: Path, material: TrustMaterial) -> bool:
    """Whether the receiver refuses a copy in which one character of the first document is another."""
    from fieldkit.exchange.packages import open_package

    data = bytearray(package.read_bytes())
    begins = data.index(b"<ContentTransferEncoded>") + len(b"<ContentTransferEncoded>")
    at = (begins + data.index(b"<", begins)) // 2
    data[at] = ord("A") if data[at] != ord("A") else ord("B")
    with tempfile.TemporaryDirectory(prefix="fieldkit-changed-") as name:
        changed = Path(name) / "changed.edxml"
        changed.write_bytes(data)
        opened = open_package(
            changed, Path(name) / "in", trust=material.anchors, crls=material.crls, draw=False
        )
    return opened.verdict == "fail" and not opened.files
