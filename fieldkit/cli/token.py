"""`fieldkit token`: list, watch, show, init, change-pin and unblock tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from fieldkit.cli import completion
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.output import Data, fields
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.profile.model import Known, NamedQuirk, Note, TokenProfile
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


SHOWN = (
    *("uri", "label", "serial", "model", "manufacturer", "module", "modules", "slot", "initialized"),
    *("login_required", "pin_state", "so_pin_state", "protected_path", "pin_min", "pin_max"),
)
"""What JSON has of every token; a part of the command line's contract."""


def _data(token: Token, *more: str) -> Data:
    return fields(token, *SHOWN, *more)


def _line(token: Token) -> str:
    """A token in one line."""
    name = token.label or (M("(no label)") if token.initialized else M("(not initialised)"))
    slot = M("slot {slot}", slot=token.slot)
    return f"{name}  {token.serial or '-'}  {token.model}  {slot}  {STATES[token.pin_state]}  {token.uri}"


@token.verb("list", M("The tokens that are here."), modules=True)
def list_(call: Call) -> Iterator[Reply]:
    with call.agents() as agents:
        tokens = agents.tokens()
        problems = agents.problems
        of_named = [error for error in problems if error.data.get("module") in call.modules]
        failed = of_named or ([] if tokens else problems)
        if not (failed and call.json):
            lines: list[str | Said] = [*map(_line, tokens)]
            lines += [f"! {problem}" for problem in problems if problem not in failed[:1]]
            if not failed:
                lines = lines or [M("There is no token here.")]
            yield Reply([*map(_data, tokens)], lines, problems=problems)
        if failed:  # whoever named a module is not to take the others' answer for its own
            failed[0].data["tokens"] = [*map(_data, tokens)]
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

    with call.agents() as agents:
        for change in changes(agents):
            yield Reply(
                {"change": change.kind, "token": _data(change.token)},
                f"{CHANGES[change.kind]}: {_line(change.token)}",
            )


@token.verb("show", M("One token: its state, what it can do, and the certificates on it."), modules=True)
@click.argument("name", metavar="TOKEN", shell_complete=completion.tokens)
def show(call: Call, name: str) -> Reply:
    from fieldkit.driver.detect import explain
    from fieldkit.token.kinds import profile_of

    with call.agents() as agents:
        token = agents.find(name)
        profile = profile_of(token, call.profiles().tokens.values())
        certificates: list[StoredCertificate] = []
        if token.initialized:
            with agents.session(token) as session:
                certificates = session.certificates()
        result = _data(token, "mechanisms", "firmware", "unblock") | {
            "profile": _profile_data(profile) if profile is not None else None,
            "certificates": [
                fields(certificate, "id", "label", "sha256", "has_private_key")
                for certificate in certificates
            ],
        }
        lines: list[str | Said] = [
            _line(token),
            M("Module: {modules}", modules=", ".join(token.modules)),
            M("PIN: {least} to {most} characters", least=token.pin_min, most=token.pin_max),
            M("Certificates: {count}", count=len(certificates)),
        ]
        if profile is not None:
            lines[1:1] = [f"{text} ({explain(known)})" for text, known in _profile_facts(profile)]
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


def _profile_data(profile: TokenProfile) -> Data:
    return fields(profile, "id", "known") | {
        "pin_policy": fields(profile.pin_policy, "min", "max", "classes", "tries", "unblock", "known"),
        "quirks": [fields(note, "id", "text", "known") for note in _notes(profile)],
    }


@token.verb("init", M("Erase a token and set its PINs."), secrets=("so-pin", "pin"), modules=True)
@option("--slot", type=int, help=M("The slot of the token; needed where more than one could be meant."))
@option("--label", required=True, help=M("The token's new label."))
def init(call: Call, slot: int | None, label: str) -> Reply:
    from fieldkit.action.initialise_token import initialise_token, token_to_initialise

    async def work() -> Token:
        async with call.tokens() as tokens:
            chosen = token_to_initialise(tokens.agents, slot, call.modules)
            return await initialise_token(tokens, chosen, label, pin_role="pin")

    made = asyncio.run(work())
    return Reply(
        _data(made), M("Initialised: {token}, serial number {serial}.", token=label, serial=made.serial)
    )


@token.verb("change-pin", M("Change a token's PIN."), secrets=("pin", "new-pin"), modules=True)
@click.argument("name", metavar="TOKEN", shell_complete=completion.tokens)
def change_pin(call: Call, name: str) -> Reply:
    from fieldkit.action.change_pin import change_pin as change

    async def work() -> Token:
        async with call.tokens() as tokens:
            return await change(tokens, await tokens.find(name))

    after = asyncio.run(work())
    return Reply(_data(after), M("The PIN of {token} was changed.", token=after.name))


@token.verb(
    "unblock",
    M("Set a new PIN with the SO PIN or PUK, when the PIN is locked or forgotten."),
    secrets=("so-pin", "new-pin"),
    modules=True,
)
@click.argument("name", metavar="TOKEN", shell_complete=completion.tokens)
def unblock(call: Call, name: str) -> Reply:
    from fieldkit.action.change_pin import unblock_pin

    async def work() -> Token:
        async with call.tokens() as tokens:
            return await unblock_pin(tokens, await tokens.find(name))

    after = asyncio.run(work())
    return Reply(_data(after), M("The token {token} has a new PIN.", token=after.name))
