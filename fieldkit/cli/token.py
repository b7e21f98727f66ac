"""`fieldkit token`: list, watch, show, init, change-pin and unblock tokens."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from fieldkit import errors
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.operator import Plan, SecretRequest
from fieldkit.text import M, Said

if TYPE_CHECKING:
    from fieldkit.profile.model import Known, TokenProfile
    from fieldkit.secret import Secret
    from fieldkit.token.agents import Agents
    from fieldkit.token.attempts import Attempts
    from fieldkit.token.model import PinState, StoredCertificate, Token
    from fieldkit.token.policy import PinRules

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


def modules(call: Call) -> tuple[str, ...]:
    """The modules to ask: those named, then those of the profiles that are on this machine."""
    found = list(call.modules)
    for profile in call.profiles().tokens.values():
        found += profile.installed_modules()
    return tuple(dict.fromkeys(found))


@contextlib.contextmanager
def agents(call: Call) -> Iterator[Agents]:
    """The agents of all modules."""
    from fieldkit.token import policy
    from fieldkit.token.agents import Agents

    known = call.profiles().tokens.values()
    with Agents(
        modules(call),
        call.home.logs,
        attempts(call),
        tries=policy.tries(known),
        unblock=policy.unblock(known),
        named=call.modules,
    ) as running:
        yield running


def attempts(call: Call) -> Attempts:
    """The count of wrong PINs, with what release 0.1 kept of it in the local store."""
    from fieldkit.token.attempts import Attempts, recorded

    def earlier() -> dict[str, int]:
        with call.store() as store:
            return recorded(store)

    counted = Attempts()
    if os.path.lexists(call.home.store):
        counted.adopt(str(call.home.store), earlier)
    return counted


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
        found = running.tokens()
        problems = running.problems
        asked_for = [each for each in problems if each.data.get("module") in call.modules]
        failed = asked_for or ([] if found else problems)
        if not (failed and call.json):
            lines: list[str | Said] = [line(each) for each in found]
            lines += [f"! {problem}" for problem in problems if problem not in failed[:1]]
            if not failed:
                lines = lines or [M("There is no token here.")]
            yield Reply([shape(each) for each in found], lines, problems=problems)
        if failed:  # whoever named a module is not to take the others' answer for its own
            failed[0].data["tokens"] = [shape(each) for each in found]
            failed[0].data["problems"] = [each.as_dict() for each in problems if each is not failed[0]]
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
    from fieldkit.token import policy

    with agents(call) as running:
        found = running.find(name)
        profile = policy.profile_of(found, call.profiles().tokens.values())
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
                    "id": each.id,
                    "label": each.label,
                    "sha256": each.sha256,
                    "has_private_key": each.has_private_key,
                }
                for each in certificates
            ],
        }
        lines: list[str | Said] = [
            line(found),
            M("Module: {modules}", modules=", ".join(found.modules)),
            M("PIN: {least} to {most} characters", least=found.pin_min, most=found.pin_max),
            M("Certificates: {count}", count=len(certificates)),
        ]
        if profile is not None:
            lines[1:1] = [f"{each} ({explain(how)})" for each, how in _profile_facts(profile)]
        lines += [f"  {each.id}  {each.label}  {each.sha256[:16]}…" for each in certificates]
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
    return facts + [(quirk.text, quirk.known) for quirk in profile.quirks]


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
        "quirks": [{"id": each.id, "text": str(each.text), "known": each.known} for each in profile.quirks],
    }


@token.verb("init", M("Erase a token and set its PINs."), secrets=("so-pin", "pin"), modules=True)
@option("--slot", type=int, said=M("The slot of the token; needed where more than one could be meant."))
@option("--label", required=True, said=M("The token's new label."))
def init(call: Call, slot: int | None, label: str) -> Reply:
    from fieldkit.token import policy, provision

    with agents(call) as running:
        found = _meant(running, slot, call.modules)
        policy.may_initialise(found, call.profiles().tokens.values())
        rules = _rules(call, found)
        consent(call, _init_plan(found, label))
        confirmed = last_try(call, found, so=True)
        request = SecretRequest(
            role="so-pin",
            title=M("SO PIN of the token {token}", token=found.name)
            if found.initialized
            else M("New SO PIN"),
            new=not found.initialized,
            check=None if found.initialized else rules.so_check(found),
        )
        with _secret(call, found, request) as so_pin, _new_pin(call, found, "pin") as pin:
            made = provision.initialise(
                running, found, label, so_pin, pin, rules=rules, confirmed_last_try=confirmed
            )
        return Reply(
            shape(made), M("Initialised: {token}, serial number {serial}.", token=label, serial=made.serial)
        )


@token.verb("change-pin", M("Change a token's PIN."), secrets=("pin", "new-pin"), modules=True)
@click.argument("name", metavar="TOKEN")
def change_pin(call: Call, name: str) -> Reply:
    from fieldkit.token import provision

    with agents(call) as running:
        found = running.find(name)
        consent(call, Plan(title=M("Change the PIN of the token {token}", token=found.name)))
        confirmed = last_try(call, found)
        request = SecretRequest(role="pin", title=M("Present PIN of the token {token}", token=found.name))
        with (
            _secret(call, found, request) as old,
            _new_pin(call, found, "new-pin") as new,
        ):
            after = provision.change_pin(
                running, found, old, new, rules=_rules(call, found), confirmed_last_try=confirmed
            )
        return Reply(shape(after), M("The PIN of {token} was changed.", token=found.name))


@token.verb(
    "unblock",
    M("Set a new PIN with the SO PIN or PUK, when the PIN is locked or forgotten."),
    secrets=("so-pin", "new-pin"),
    modules=True,
)
@click.argument("name", metavar="TOKEN")
def unblock(call: Call, name: str) -> Reply:
    from fieldkit.procedure.reach import ask_unblocking_code
    from fieldkit.token import provision
    from fieldkit.token.guard import OPENS

    with agents(call) as running:
        found = running.find(name)
        # as far as the profile knows: somebody may have a code all the same
        steps = (OPENS["authority"],) if found.unblock == "authority" else ()
        consent(call, Plan(title=M("Set a new PIN on the token {token}", token=found.name), steps=steps))
        confirmed = last_try(call, found, so=True)
        with (
            asyncio.run(ask_unblocking_code(call.console(), found)) as code,
            _new_pin(call, found, "new-pin") as new,
        ):
            after = provision.unblock(
                running, found, code, new, rules=_rules(call, found), confirmed_last_try=confirmed
            )
        return Reply(shape(after), M("The token {token} has a new PIN.", token=found.name))


def _meant(running: Agents, slot: int | None, named: tuple[str, ...]) -> Token:
    """The token to initialise: the one in `slot`, else the only empty one.

    :raises TokenNotFound: there is none. :raises TokenAmbiguous: there are several.
    """
    from fieldkit.token.errors import TokenAmbiguous, TokenNotFound

    found = running.tokens()
    if named:
        found = [each for each in found if set(each.modules) & set(named)]
    fits = [each for each in found if each.slot == slot] if slot is not None else found
    if slot is None and len(fits) > 1:
        fits = [each for each in fits if not each.initialized]
    if len(fits) == 1:
        return fits[0]
    if fits or (slot is None and found):
        raise TokenAmbiguous(
            M("More than one token could be meant."),
            unchanged=NOT_CHANGED,
            hint=M("Say which with --slot; `fieldkit token list` shows them."),
            candidates=[{"slot": each.slot, "uri": each.uri} for each in fits or found],
        )
    if running.problems and not found:
        raise running.problems[0]
    raise TokenNotFound(
        M("There is no token to initialise here."),
        unchanged=NOT_CHANGED,
        hint=M("Plug it in and wait for its light; `fieldkit token list` shows what is there."),
    )


def _init_plan(found: Token, label: str) -> Plan:
    if not found.initialized:
        return Plan(
            title=M("Initialise the empty token in slot {slot} as {label}", slot=found.slot, label=label),
            keeps=M("The token is empty; nothing is lost."),
        )
    return Plan(
        title=M("Erase the token {token} and initialise it as {label}", token=found.name, label=label),
        steps=(
            M(
                "Every key and certificate on it is lost for good. Serial number: {serial}",
                serial=found.serial,
            ),
        ),
        confirm=found.serial or found.name,
    )


def consent(call: Call, plan: Plan) -> None:
    if not asyncio.run(call.console().consent(plan)):
        raise errors.NotConsented(M("Nothing was done: not agreed to."), unchanged=NOT_CHANGED)


def last_try(call: Call, found: Token, *, so: bool = False) -> bool:
    """On the last attempt: True only if the person typed the serial number. `--yes` is not enough."""

    from fieldkit.procedure.reach import confirm_last_try

    return asyncio.run(confirm_last_try(call.console(), found, so=so))


def ask_pin(call: Call, found: Token, title: Said | None = None) -> Secret:
    """The user PIN of a token."""
    from fieldkit.procedure.reach import ask_pin

    return asyncio.run(ask_pin(call.console(), found, title))


def _rules(call: Call, found: Token) -> PinRules:
    from fieldkit.token import policy

    return policy.for_profile(policy.profile_of(found, call.profiles().tokens.values()))


def _secret(call: Call, found: Token, request: SecretRequest) -> Secret:
    """The secret asked for; an empty one where it is typed on the token's own keypad."""
    from fieldkit.secret import Secret

    return Secret("") if found.protected_path else asyncio.run(call.console().secret(request))


def _new_pin(call: Call, found: Token, role: Any) -> Secret:
    check = _rules(call, found).check(found)
    return _secret(call, found, SecretRequest(role=role, title=M("New PIN"), new=True, check=check))
