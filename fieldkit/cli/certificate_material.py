"""What `fieldkit certificate` judges by: the file, anchors, revocation lists, the dossier."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fieldkit import errors
from fieldkit.cli.frame import Call
from fieldkit.operator import SecretRequest
from fieldkit.text import M

if TYPE_CHECKING:
    from fieldkit.certificate.contents import Contents
    from fieldkit.certificate.identity import Identity
    from fieldkit.certificate.inspect import Description
    from fieldkit.profile.model import Bureau
    from fieldkit.secret import Secret
    from fieldkit.token.model import StoredCertificate


def read(call: Call, file: Path) -> Contents:
    """What is in a file; its password is asked for only if it wants one.

    :raises PasswordNeeded: it does, and nobody is here to enter it.
    """
    from fieldkit.certificate import files
    from fieldkit.certificate.errors import PasswordNeeded

    console = call.console()

    def password() -> Secret:
        if not call.gives("password") and not console.attended:
            raise PasswordNeeded(
                M("The file {name} is protected by a password.", name=file.name),
                unchanged=M("Nothing was changed."),
                hint=M("Run it in a terminal, or give a file with --{role}-file.", role="password"),
            )
        request = SecretRequest(role="password", title=M("Password of the file {name}", name=file.name))
        return asyncio.run(console.secret(request))

    return files.read(files.load(file), password, name=file.name)


def known(
    call: Call, trust: Sequence[Path] = (), crl: Sequence[Path] = ()
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Anchors, issuing authorities and revocation lists (DER): those named, else those of the profiles."""
    from fieldkit.action.trust_material import gather
    from fieldkit.certificate import files

    anchors: list[bytes] = []
    issuers: list[bytes] = []
    lists: list[bytes] = []
    for path in (*trust, *crl):
        contents = files.read(files.load(path), None, name=path.name)
        (anchors if path in trust else issuers).extend(contents.certificates)
        lists += contents.revocation_lists
    profiles = call.profiles()
    here = gather(call.home, profiles, profiles.trusted)
    if not trust:
        anchors += here.anchors
    issuers += here.others
    lists += here.crls
    return anchors, issuers, lists


def purposes(call: Call) -> tuple[str, ...]:
    """The extended key usages that the profiles of all authorities allow for documents."""
    profiles = call.profiles()
    return profiles.purposes(profiles.authorities)


def bureau(call: Call, code: str) -> Bureau:
    """The bureau with this code in the plan."""
    found = next((each for each in call.profiles().plan.bureaus if each.code == code), None)
    if found is None:
        raise errors.Misused(
            M("The plan has no bureau with the code {code}.", code=code),
            hint=M("`fieldkit plan show` lists them."),
        )
    return found


def described(call: Call, holder: Identity, code: str) -> Description:
    """What is about to be written, judged.

    :raises CertificateRevoked, DossierMismatch: it must not be.
    """
    from fieldkit.certificate.acceptance import admit
    from fieldkit.certificate.inspect import describe

    anchors, issuers, crls = known(call)
    description = describe(
        holder.certificate,
        at=now(),
        anchors=anchors,
        chain=(*holder.chain, *issuers),
        crls=crls,
        has_private_key=bool(holder.key),
        dossier=bureau(call, code).dossier if code else None,
        purposes=purposes(call),
    )
    admit(description, holder.name)
    return description


def stored(
    stored: StoredCertificate,
    all_: Sequence[StoredCertificate],
    anchors: Sequence[bytes],
    issuers: Sequence[bytes],
    crls: Sequence[bytes],
    purposes: Sequence[str],
) -> Description | None:
    """A certificate on a token, judged; None where it is none."""
    from fieldkit.certificate.errors import FileUnreadable
    from fieldkit.certificate.inspect import describe

    others = [certificate.der for certificate in all_ if certificate.der != stored.der]
    for chain in ((*others, *issuers), issuers):  # the second where one of the others is no certificate
        try:
            return describe(
                stored.der,
                at=now(),
                anchors=anchors,
                chain=chain,
                crls=crls,
                has_private_key=stored.has_private_key,
                purposes=purposes,
            )
        except FileUnreadable:
            continue
    return None


def now() -> datetime.datetime:
    """This moment, as everything here is judged."""
    return datetime.datetime.now(datetime.UTC)
