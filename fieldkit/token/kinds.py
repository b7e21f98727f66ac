"""Kinds of token, by their profiles: which modules to ask, what is known of each one's tokens."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import msgspec

from fieldkit.text import M
from fieldkit.token import errors, quirks
from fieldkit.token.guard import TRIES
from fieldkit.token.model import Token, Unblock
from fieldkit.token.quirks import Quirk

if TYPE_CHECKING:
    from fieldkit.profile.model import TokenProfile


class TokenTraits(msgspec.Struct, frozen=True):
    """What is known of the tokens of one module.

    tries: how many wrong PINs they allow. unblock: what opens a locked PIN. wrong_pin: answers to a login by
    which they refuse a wrong PIN, besides those of the standard.
    """

    tries: int = TRIES
    unblock: Unblock = "unknown"
    wrong_pin: frozenset[str] = frozenset()
    quirks: tuple[Quirk, ...] = ()


def modules(profiles: Iterable[TokenProfile], named: Sequence[str] = ()) -> tuple[str, ...]:
    """The modules to ask: those that a person named, then those of these kinds of token that are here."""
    return tuple(
        dict.fromkeys((*named, *(path for profile in profiles for path in profile.installed_modules())))
    )


def traits(profiles: Iterable[TokenProfile]) -> dict[str, TokenTraits]:
    """What the profiles know, by module.

    Of several with one module, the fewest tries hold, and a wrong PIN is what it is with all of them.
    """
    known: dict[str, list[TokenProfile]] = {}
    for profile in profiles:
        for path in profile.installed_modules():
            known.setdefault(path, []).append(profile)
    return {module: _traits(alike) for module, alike in known.items()}


def _traits(profiles: Sequence[TokenProfile]) -> TokenTraits:
    own = tuple(dict.fromkeys(quirk for profile in profiles for quirk in quirks.of_profile(profile)))
    tries = [*(profile.pin_policy.tries for profile in profiles), *(quirk.tries for quirk in own)]
    unblock = [profile.pin_policy.unblock for profile in profiles if profile.pin_policy.unblock != "unknown"]
    wrong_pin = [
        frozenset[str]().union(*(quirk.wrong_pin for quirk in quirks.of_profile(profile)))
        for profile in profiles
    ]
    return TokenTraits(
        tries=min(filter(None, tries), default=TRIES),
        unblock=next(reversed(unblock), "unknown"),
        wrong_pin=frozenset.intersection(*wrong_pin),
        quirks=own,
    )


def profile_of(token: Token, profiles: Iterable[TokenProfile]) -> TokenProfile | None:
    """The profile of the family whose module shows `token`."""
    shown_by = set(map(os.path.realpath, token.modules))
    for profile in profiles:
        if not shown_by.isdisjoint(map(os.path.realpath, profile.installed_modules())):
            return profile
    return None


def may_initialise(
    token: Token, profiles: Iterable[TokenProfile], expected: TokenProfile | None = None
) -> None:
    """Let a token be initialised. expected: the kind of token that the bureau is to have.

    :raises InitialisationNotAllowed: tokens of its kind are initialised by their issuer alone.
    """
    for profile in (profile_of(token, profiles), expected):
        if profile is not None and (
            not profile.init or any(quirk.issuer_initialises for quirk in quirks.of_profile(profile))
        ):
            raise errors.InitialisationNotAllowed(
                M("Tokens of this kind are initialised by the authority that issues them."),
                unchanged=M("Nothing was changed."),
                hint=M("Answer that the token came personalised, and check it instead."),
            )
