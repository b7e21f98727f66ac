"""What certificates and signatures are judged by:

    material = gather(home, profiles, profiles.trusted)
    material = named(home, profiles, trust=[Path("root.pem")])

Anchors, issuing authorities and revocation lists, as files hold them; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from fieldkit.home import Home
from fieldkit.profile.model import Profiles


class TrustMaterial(msgspec.Struct, frozen=True):
    """All in DER. others: issuing authorities' certificates, for paths. purposes: see `usage.may_sign`."""

    anchors: tuple[bytes, ...] = ()
    others: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    purposes: tuple[str, ...] = ()


def gather(home: Home, profiles: Profiles, authorities: Iterable[str]) -> TrustMaterial:
    """What the profiles of these authorities name and is here; revocation lists lie in the home beside them.

    :raises FileUnreadable: one of the files is not what it should be.
    """
    from fieldkit.certificate import files

    names = sorted(authorities)
    folder = home.profiles / "authorities"
    lists = sorted({path for name in names for path in (folder / name).glob("*.crl")})

    def certificates(paths: Iterable[Path]) -> tuple[bytes, ...]:
        return tuple(
            der
            for path in paths
            for der in files.read_contents(files.load(path), None, name=path.name).certificates
        )

    return TrustMaterial(
        anchors=certificates(path for name in names for path in profiles.anchors(name)),
        others=certificates(path for name in names for path in profiles.intermediates(name)),
        crls=tuple(
            der
            for path in lists
            for der in files.read_contents(files.load(path), None, name=path.name).revocation_lists
        ),
        purposes=profiles.purposes(names),
    )


def named(
    home: Home, profiles: Profiles, trust: Sequence[Path] = (), crl: Sequence[Path] = ()
) -> TrustMaterial:
    """The anchors and lists of these files; where no anchor is named, those of the profiles in force as well.

    :raises DocumentMissing: one of the files cannot be read.
    """
    from fieldkit.pdf import document

    anchors = tuple(document.read_bytes(path) for path in trust)
    crls = tuple(document.read_bytes(path) for path in crl)
    purposes = profiles.purposes(profiles.authorities)
    if anchors:
        return TrustMaterial(anchors, crls=crls, purposes=purposes)
    known = gather(home, profiles, profiles.trusted)
    return TrustMaterial(known.anchors, known.others, (*crls, *known.crls), purposes)
