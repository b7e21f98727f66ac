"""`fieldkit token`: list, watch, show, init, change-pin and unblock tokens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.action.token_access import TokenAccess
    from fieldkit.profile.model import Known, NamedQuirk, Note, TokenProfile
    from fieldkit.token.agents import Agents
    from fieldkit.token.model import PinState, StoredCertificate, Token

token = noun("token", M("Look at tokens, initialise them, change and unblock PINs."))

STATES: dict[PinState, Said] = {
    "ok": M("PIN ready"),
    "low": M("PIN: a wrong one was entered"),
    "final": M("PIN: one attempt left"),
    "locked": M("PIN locked"),
    "unset": M("no PIN yet"),
    "default": M("PIN: as delivered, to be changed"),
    "unknown": M("PIN: state not known"),
}
NOT_CHANGED = M("Nothing was changed on the token.")


def agents(call: Call) -> contextlib.AbstractContextManager[Agents]:
    """The agents of the modules that were named, and of the profiles' that are on this machine."""
    from fieldkit.action.token_access import open_agents

    return open_agents(call.home, call.profiles(), named=call.modules, store=call.store)


def access(call: Call) -> contextlib.AbstractAsyncContextManager[TokenAccess]:
    """The same for an action; a token that is pulled out ends it."""
    from fieldkit.action.token_access import open_tokens

    return open_tokens(call.home, call.profiles(), call.console(), named=call.modules, store=call.store)


def shape(found: Token) -> dict[str, Any]:
    """The JSON shape of a token; its keys are part of the command line's contract."""
    return {
        "uri": found.uri,
        "label": found.label,
        "serial": found.serial,
        "model": found.model,
        "manufacturer": found.manufacturer,
        "module": found.module,
        "modules": list(found.modules),
        "slot": found.slot,
        "initialized": found.initialized,
        "login_required": found.login_required,
        "pin_state": found.pin_state,
        "so_pin_state": found.so_pin_state,
        "protected_path": found.protected_path,
        "pin_min": found.pin_min,
        "pin_max": found.pin_max,
    }


def line(found: Token) -> str:
    """A token in one line."""
    name = found.label or (M("(no label)") if found.initialized else M("(not initialised)"))
    slot = M("slot {slot}", slot=found.slot)
    return f"{name}  {found.serial or '-'}  {found.model}  {slot}  {STATES[found.pin_state]}  {found.uri}"


@token.verb("list", M("The tokens that are here."), modules=True)
def list_(call: Call) -> Iterator[Reply]:
    with agents(call) as running:
        tokens = running.tokens()
        problems = running.problems
        asked_for = [error for error in problems if error.data.get("module") in call.modules]
        failed = asked_for or ([] if tokens else problems)
        if not (failed and call.json):
            lines: list[str | Said] = [line(each) for each in tokens]
            lines += [f"! {problem}" for problem in problems if problem not in failed[:1]]
            if not failed:
                lines = lines or [M("There is no token here.")]
            yield Reply([shape(each) for each in tokens], lines, problems=problems)
        if failed:  # whoever named a module is not to take the others' answer for its own
            failed[0].data["tokens"] = [shape(each) for each in tokens]
            failed[0].data["problems"] = [error.as_dict() for error in problems if error is not failed[0]]
            raise failed[0]


CHANGES: dict[str, Said] = {
    "inserted": M("plugged in"),
    "removed": M("pulled out"),
    "changed": M("changed"),
}


@token.verb("watch", M("Say when a token is plugged in or pulled out, until stopped."), modules=True)
def watch(call: Call) -> Iterator[Reply]:
    from fieldkit.token.watch import watch as changes

    with agents(call) as running:
        for change in changes(running):
            yield Reply(
                {"change": change.kind, "token": shape(change.token)},
                f"{CHANGES[change.kind]}: {line(change.token)}",
            )


@token.verb("show", M("One token: its state, what it can do, and the certificates on it."), modules=True)
@click.argument("name", metavar="TOKEN")
def show(call: Call, name: str) -> Reply:
    from fieldkit.driver.detect import explain
    from fieldkit.token.kinds import profile_of

    with agents(call) as running:
        found = running.find(name)
        profile = profile_of(found, call.profiles().tokens.values())
        certificates: list[StoredCertificate] = []
        if found.initialized:
            with running.session(found) as session:
                certificates = session.certificates()
        result = shape(found) | {
            "mechanisms": list(found.mechanisms),
            "firmware": found.firmware,
            "unblock": found.unblock,
            "profile": _profile_shape(profile) if profile is not None else None,
            "certificates": [
                {
                    "id": certificate.id,
                    "label": certificate.label,
                    "sha256": certificate.sha256,
                    "has_private_key": certificate.has_private_key,
                }
                for certificate in certificates
            ],
        }
        lines: list[str | Said] = [
            line(found),
            M("Module: {modules}", modules=", ".join(found.modules)),
            M("PIN: {least} to {most} characters", least=found.pin_min, most=found.pin_max),
            M("Certificates: {count}", count=len(certificates)),
        ]
        if profile is not None:
            lines[1:1] = [f"{text} ({explain(how)})" for text, how in _profile_facts(profile)]
        lines += [
            f"  {certificate.id}  {certificate.label}  {certificate.sha256[:16]}…"
            for certificate in certificates
        ]
        return Reply(result, lines)


def _profile_facts(profile: TokenProfile) -> list[tuple[Said, Known]]:
    """What is said of tokens of this kind, each with how well it is known."""
    rules = profile.pin_policy
    facts: list[tuple[Said, Known]] = [
        (M("Kind: {title}", title=str(profile.title)), profile.known),
        (M("Rule for a PIN: {least} to {most} characters", least=rules.min, most=rules.max), rules.known),
    ]
    if rules.tries:
        facts.append((M("Wrong PINs until it locks: {count}", count=rules.tries), rules.known))
    return facts + [(note.text, note.known) for note in _notes(profile)]


def _notes(profile: TokenProfile) -> list[NamedQuirk | Note]:
    return [*profile.quirks, *profile.notes]


def _profile_shape(profile: TokenProfile) -> dict[str, Any]:
    rules = profile.pin_policy
    return {
        "id": profile.id,
        "known": profile.known,
        "pin_policy": {
            "min": rules.min,
            "max": rules.max,
            "classes": list(rules.classes),
            "tries": rules.tries,
            "unblock": rules.unblock,
            "known": rules.known,
        },
        "quirks": [{"id": note.id, "text": str(note.text), "known": note.known} for note in _notes(profile)],
    }


@token.verb("init", M("Erase a token and set its PINs."), secrets=("so-pin", "pin"), modules=True)
@option("--slot", type=int, said=M("The slot of the token; needed where more than one could be meant."))
@option("--label", required=True, said=M("The token's new label."))
def init(call: Call, slot: int | None, label: str) -> Reply:
    from fieldkit.action.initialise_token import initialise_token

    async def work() -> Token:
        async with access(call) as tokens:
            chosen = _meant(tokens.agents, slot, call.modules)
            return await initialise_token(tokens, chosen, label, pin_role="pin")

    made = asyncio.run(work())
    return Reply(
        shape(made), M("Initialised: {token}, serial number {serial}.", token=label, serial=made.serial)
    )


@token.verb("change-pin", M("Change a token's PIN."), secrets=("pin", "new-pin"), modules=True)
@click.argument("name", metavar="TOKEN")
def change_pin(call: Call, name: str) -> Reply:
    from fieldkit.action.change_pin import change_pin as change

    async def work() -> Token:
        async with access(call) as tokens:
            return await change(tokens, await tokens.find(name))

    after = asyncio.run(work())
    return Reply(shape(after), M("The PIN of {token} was changed.", token=after.name))


@token.verb(
    "unblock",
    M("Set a new PIN with the SO PIN or PUK, when the PIN is locked or forgotten."),
    secrets=("so-pin", "new-pin"),
    modules=True,
)
@click.argument("name", metavar="TOKEN")
def unblock(call: Call, name: str) -> Reply:
    from fieldkit.action.change_pin import unblock_pin

    async def work() -> Token:
        async with access(call) as tokens:
            return await unblock_pin(tokens, await tokens.find(name))

    after = asyncio.run(work())
    return Reply(shape(after), M("The token {token} has a new PIN.", token=after.name))


def _meant(running: Agents, slot: int | None, named: tuple[str, ...]) -> Token:
    """The token to initialise: the one in `slot`, else the only empty one.

    :raises TokenNotFound: there is none. :raises TokenAmbiguous: there are several.
    """
    from fieldkit.token.errors import TokenAmbiguous, TokenNotFound

    tokens = running.tokens()
    if named:
        tokens = [each for each in tokens if set(each.modules) & set(named)]
    fits = [each for each in tokens if each.slot == slot] if slot is not None else tokens
    if slot is None and len(fits) > 1:
        fits = [fit for fit in fits if not fit.initialized]
    if len(fits) == 1:
        return fits[0]
    if fits or (slot is None and tokens):
        raise TokenAmbiguous(
            M("More than one token could be meant."),
            unchanged=NOT_CHANGED,
            hint=M("Say which with --slot; `fieldkit token list` shows them."),
            candidates=[{"slot": fit.slot, "uri": fit.uri} for fit in fits or tokens],
        )
    if running.problems and not tokens:
        raise running.problems[0]
    raise TokenNotFound(
        M("There is no token to initialise here."),
        unchanged=NOT_CHANGED,
        hint=M("Plug it in and wait for its light; `fieldkit token list` shows what is there."),
    )
