"""What certificates and signatures are judged by: anchors, issuing authorities, revocation lists."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from fieldkit.home import Home
from fieldkit.profile.model import Profiles


class Material(msgspec.Struct, frozen=True):
    """All in DER. others: issuing authorities' certificates, for paths. purposes: see `usage.may_sign`."""

    anchors: tuple[bytes, ...] = ()
    others: tuple[bytes, ...] = ()
    crls: tuple[bytes, ...] = ()
    purposes: tuple[str, ...] = ()


def gather(home: Home, profiles: Profiles, authorities: Iterable[str]) -> Material:
    """What the profiles of these authorities name and is here; revocation lists lie in the home beside them.

    :raises FileUnreadable: one of the files is not what it should be.
    """
    from fieldkit.certificate import files

    names = sorted(authorities)
    folder = home.profiles / "authorities"
    lists = sorted({path for name in names for path in (folder / name).glob("*.crl")})

    def certificates(paths: Iterable[Path]) -> tuple[bytes, ...]:
        return tuple(
            der for path in paths for der in files.read(files.load(path), None, name=path.name).certificates
        )

    return Material(
        anchors=certificates(path for name in names for path in profiles.anchors(name)),
        others=certificates(path for name in names for path in profiles.intermediates(name)),
        crls=tuple(
            der
            for path in lists
            for der in files.read(files.load(path), None, name=path.name).revocation_lists
        ),
        purposes=profiles.purposes(names),
    )
