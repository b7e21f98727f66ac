"""With what, for whom and by when, as values: tokens and drivers, authorities, rules, services, the plan.

Facts about the outside world say how well they are known: "confirmed" was seen by this project to
hold, "documented" stands in a source that can be read, "hypothesis" was reported once and not tried.
"""

from __future__ import annotations

import datetime
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import msgspec

from fieldkit.profile.driver import Driver
from fieldkit.profile.rules import RuleSet
from fieldkit.text import Words

Known = Literal["confirmed", "documented", "hypothesis"]
System = Literal["linux", "windows", "macos"]


class Module(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a PKCS#11 module is after its driver is installed. bits: 32, 64, or 0 where not known."""

    path: str
    known: Known = "documented"
    bits: int = 0


class Modules(msgspec.Struct, frozen=True, omit_defaults=True):
    """The modules of a token by operating system; the one to try first comes first."""

    linux: tuple[Module, ...] = ()
    windows: tuple[Module, ...] = ()
    macos: tuple[Module, ...] = ()


class Usb(msgspec.Struct, frozen=True, omit_defaults=True):
    """A USB device: `id` is "vvvv:pppp" in lower-case hexadecimal."""

    id: str
    name: str = ""
    known: Known = "documented"


class Atr(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer to reset in upper-case hexadecimal; `?` stands for any digit."""

    value: str
    name: str = ""
    known: Known = "documented"


CharacterClass = Literal["upper", "lower", "digit", "other"]


class PinPolicy(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a PIN has to be.

    min, max: length. classes: kinds of characters each of which it has to hold. tries: wrong PINs
    until it locks, 0 where not known. delivery_pin_must_change: the PIN it arrives with is not to be
    kept. delivery: PINs it is publicly known to arrive with, never taken as a new one. unblock: what
    opens a locked PIN again. guessable: it may be one character repeated, or keys in a row.
    """

    min: int = 4
    max: int = 16
    classes: tuple[CharacterClass, ...] = ()
    tries: int = 0
    delivery_pin_must_change: bool = False
    guessable: bool = False
    delivery: tuple[str, ...] = ()
    unblock: Literal["so-pin", "puk", "authority", "unknown"] = "unknown"
    known: Known = "documented"


QuirkId = Literal["opensc-puk", "personalised", "tries-differ", "wrong-pin-general-error"]
"""What fieldkit acts on where it works with a token: each has its row in `fieldkit.token.quirks`."""
EarlierNote = Literal[
    "entersafe-family",
    "hardware-assumed",
    "idprime-load-crash",
    "key-without-label",
    "linux-module-32-bit",
    "macos-intel-only",
    "newer-units-need-vendor-module",
    "no-pin-lock",
    "opensc-is-no-substitute",
    "two-system-folders",
]
"""What profiles of release 0.1 had among their quirks though it is for people alone: a note."""


class Note(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that surprises, for a person to know; nothing acts on it."""

    id: str
    text: Words
    known: Known = "documented"


class NamedQuirk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A quirk of a kind of token, in words for a person."""

    id: Literal[QuirkId, EarlierNote]
    text: Words
    known: Known = "documented"


class TokenProfile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A family of tokens.

    modules, usb, atr: how it is reached and recognised. reader: parts of the names of its readers.
    init: it may be initialised on site (a token that arrives personalised never is).
    imports: private keys may be written to it from a file. keys: what it can hold, as "rsa:2048".
    quirks: what is treated in a way of its own. notes: what a person should know besides.
    """

    id: str
    title: Words
    known: Known
    modules: Modules
    driver: Driver
    pin_policy: PinPolicy
    usb: tuple[Usb, ...] = ()
    atr: tuple[Atr, ...] = ()
    reader: tuple[str, ...] = ()
    init: bool = False
    imports: Literal["yes", "no", "unknown"] = "unknown"
    keys: tuple[str, ...] = ()
    quirks: tuple[NamedQuirk, ...] = ()
    notes: tuple[Note, ...] = ()

    def modules_of(self, system: System | None = None) -> tuple[Module, ...]:
        """Its modules on `system`; on this machine's unless given."""
        chosen: tuple[Module, ...] = getattr(self.modules, system or this_system())
        return chosen

    def installed_modules(self) -> tuple[str, ...]:
        """The paths of its modules that are on this machine, each file once."""
        here: dict[str, str] = {}
        for module in self.modules_of():
            if os.path.isfile(module.path):
                here.setdefault(os.path.realpath(module.path), module.path)
        return tuple(here.values())

    def matches_atr(self, atr: str) -> bool:
        """Whether a card with this answer to reset (hexadecimal) is of this family."""
        digits = atr.replace(" ", "").replace(":", "").upper()
        return any(
            len(known.value) == len(digits)
            and all(mask in ("?", digit) for mask, digit in zip(known.value, digits, strict=True))
            for known in self.atr
        )

    def matches_usb(self, id: str) -> bool:
        """Whether a USB device "vvvv:pppp" is of this family."""
        return any(usb.id == id.lower() for usb in self.usb)


class Endpoint(msgspec.Struct, frozen=True, omit_defaults=True):
    """An address of an authority, and how well it is known."""

    url: str
    known: Known = "documented"
    note: Words | None = None


class KnownCertificate(msgspec.Struct, frozen=True, omit_defaults=True):
    """A certificate of an authority as it is publicly described; never an anchor by itself."""

    name: str
    sha256: str = ""
    valid: str = ""
    known: Known = "hypothesis"


class SubjectRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the authority's subjects look like. required: attributes that have to be there ("CN", "O")."""

    required: tuple[str, ...] = ()
    country: str = ""
    issuer: tuple[str, ...] = ()


class Authority(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who issues certificates.

    sample: made for demonstration; whatever shows its certificates says so.
    anchors, intermediates: PEM files, relative to the home or to `profiles/`; see `Profiles.anchors`.
    tsa, ocsp, crl, repository: addresses; none means "not configured". extended_key_usage: numbers that
    its certificates for documents name besides the usual ones (document signing, e-mail protection).
    """

    id: str
    title: Words
    sample: bool = False
    anchors: tuple[str, ...] = ()
    intermediates: tuple[str, ...] = ()
    tsa: tuple[Endpoint, ...] = ()
    ocsp: tuple[Endpoint, ...] = ()
    crl: tuple[Endpoint, ...] = ()
    repository: tuple[Endpoint, ...] = ()
    extended_key_usage: tuple[str, ...] = ()
    subject: SubjectRule = SubjectRule()
    certificates: tuple[KnownCertificate, ...] = ()
    requests: tuple[Endpoint, ...] = ()
    notes: tuple[Note, ...] = ()


ServiceKind = Literal[
    "document-management", "axis", "portal", "tsa", "ocsp", "crl", "repository", "proxy", "hub"
]


class Service(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that has to be reachable from a bureau. url: "" means not configured, so not checked.

    signed: of the exchange axis: packages carry an XML signature of their own, or none; not said: it is
    for whoever opens one to decide.
    """

    id: str
    kind: ServiceKind
    title: Words
    url: str = ""
    required: bool = False
    note: Words | None = None
    known: Known = "documented"
    signed: bool | None = None


class Services(msgspec.Struct, frozen=True, omit_defaults=True):
    """The services of a deployment."""

    services: tuple[Service, ...]


Region = Literal["north", "centre", "south"]


class Officer(msgspec.Struct, frozen=True):
    """Who receives and uses a token at a bureau."""

    name: str
    title: Words


class Dossier(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was asked of the authority for a bureau, to compare the certificate with.

    holder: whose certificate it is. subject: attributes by their short names ("CN", "O", "OU", "L",
    "ST", "C"). issuer: the issuing CA's common name. certificate_serial: hexadecimal.
    form: the form it was asked for with. Empty means not known yet, and is not compared.
    """

    holder: Literal["person", "agency"] = "person"
    subject: dict[str, str] = {}
    email: str = ""
    issuer: str = ""
    certificate_serial: str = ""
    token_serial: str = ""
    key: str = ""
    not_after: datetime.date | None = None
    form: str = ""
    requested: datetime.date | None = None
    received: datetime.date | None = None


class Bureau(msgspec.Struct, frozen=True, omit_defaults=True):
    """A subscriber. token, authority: ids of their profiles. agency_code: its code in document exchange."""

    code: str
    name: Words
    region: Region
    address: str
    token: str
    authority: str
    officer: Officer
    dossier: Dossier = Dossier()
    agency_code: str = ""
    phone: str = ""
    sample: bool = False


class Task(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the plan.

    region: whose bureaus it is for; all when absent. bureaus: their codes, where it is only for some.
    checklist: the one that a visit for it follows. form: the paper it leaves. owner: who does it.
    """

    id: str
    title: Words
    starts: datetime.date
    ends: datetime.date
    region: Region | None = None
    bureaus: tuple[str, ...] = ()
    checklist: str = ""
    form: Words | None = None
    owner: Words | None = None


class Phase(msgspec.Struct, frozen=True):
    """A part of the plan, lettered as in the decision."""

    id: str
    title: Words
    tasks: tuple[Task, ...]


class RegionName(msgspec.Struct, frozen=True):
    """A region of the plan and its name."""

    id: Region
    title: Words


class RolloutPlan(msgspec.Struct, frozen=True, omit_defaults=True):
    """A deployment: its phases, their tasks with dates, and its bureaus. decision: the paper it rests on."""

    id: str
    title: Words
    issued: datetime.date
    regions: tuple[RegionName, ...]
    phases: tuple[Phase, ...]
    bureaus: tuple[Bureau, ...]
    decision: Words | None = None
    sample: bool = False

    def bureaus_of(self, task: Task) -> tuple[Bureau, ...]:
        """The bureaus a task is for."""
        return tuple(
            bureau
            for bureau in self.bureaus
            if (not task.bureaus or bureau.code in task.bureaus)
            and (task.region is None or bureau.region == task.region)
        )


class Profiles(msgspec.Struct, frozen=True):
    """Everything the profiles say. plan: the one in force. folders: where they came from, the first wins."""

    tokens: dict[str, TokenProfile]
    authorities: dict[str, Authority]
    rules: dict[str, RuleSet]
    services: tuple[Service, ...]
    plan: RolloutPlan
    folders: tuple[Path, ...]

    def rules_at(self, day: datetime.date) -> RuleSet | None:
        """The rule set in force on `day`; the one that came into force last, where several are."""
        fitting = [rules for rules in self.rules.values() if rules.in_force(day)]
        return max(fitting, key=lambda rules: rules.valid_from, default=None)

    @property
    def trusted(self) -> tuple[str, ...]:
        """The authorities that are believed where nobody names one: samples only under a sample plan."""
        return tuple(
            name for name, authority in self.authorities.items() if self.plan.sample or not authority.sample
        )

    def anchors(self, authority: str) -> tuple[Path, ...]:
        """The anchor files of an authority that are there; empty where none was put in place yet."""
        known = self.authorities.get(authority)
        return tuple(filter(None, map(self.file, known.anchors))) if known else ()

    def intermediates(self, authority: str) -> tuple[Path, ...]:
        """The files of an authority's issuing CAs that are there."""
        known = self.authorities.get(authority)
        return tuple(filter(None, map(self.file, known.intermediates))) if known else ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every address that a profile names."""
        endpoints = (
            endpoint.url
            for one in self.authorities.values()
            for endpoint in (*one.tsa, *one.ocsp, *one.crl, *one.repository)
        )
        return tuple(filter(None, (*endpoints, *(service.url for service in self.services))))

    def purposes(self, authorities: Iterable[str]) -> tuple[str, ...]:
        """The extended key usages that these authorities' certificates for documents may name besides."""
        known = (self.authorities.get(authority) for authority in authorities)
        return tuple(number for one in known if one is not None for number in one.extended_key_usage)

    @property
    def packages_signed(self) -> bool | None:
        """Whether the exchange axis asks for packages that are signed themselves; None where none says."""
        wanted = {service.signed for service in self.services if service.kind == "axis"}
        return True if True in wanted else False if False in wanted else None

    @property
    def senders(self) -> dict[str, list[Dossier]]:
        """By the code of each agency in the plan, what was asked for its certificates."""
        senders: dict[str, list[Dossier]] = {}
        for bureau in self.plan.bureaus:
            if bureau.agency_code:
                senders.setdefault(bureau.agency_code, []).append(bureau.dossier)
        return senders

    def file(self, name: str) -> Path | None:
        """The file that a profile calls `name`, in the first folder that has it."""
        return next((path for folder in self.folders if (path := folder / name).is_file()), None)


def this_system() -> System:
    """The operating system of this machine, as profiles name it."""
    return "windows" if sys.platform == "win32" else "macos" if sys.platform == "darwin" else "linux"
