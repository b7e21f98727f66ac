"""The frame every command hangs in: common options, one JSON document, errors to words and exit status.

A command is a function `(call, **arguments) -> Reply` or `-> Iterator[Reply]`; it neither prints nor exits.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from fieldkit import errors, i18n, operator
from fieldkit.cli import click_words
from fieldkit.errors import FieldkitError
from fieldkit.home import Home, locate
from fieldkit.text import UNSEEN, M, Said, visible

if TYPE_CHECKING:
    from fieldkit.action.exchange_documents import Signing
    from fieldkit.action.token_access import TokenAccess
    from fieldkit.action.trust_material import TrustMaterial
    from fieldkit.cli.console import Console
    from fieldkit.journal.damage import Damage
    from fieldkit.journal.store import Store
    from fieldkit.profile.model import Profiles
    from fieldkit.signature.raw_signer import RawSigner
    from fieldkit.token.agents import Agents
    from fieldkit.visit.visits import Visits

Result = TypeVar("Result")
Decorated = TypeVar("Decorated", bound="Callable[..., object]")
PROGRAM = "fieldkit"


class Reply(msgspec.Struct, frozen=True):
    """What a command found: `result` for a program, `text` for a person, `good` for the exit status.

    problems: what could not be asked, beside what was found; a person is told in `text`.
    damage: what of the store it was read from is not as it was stored.
    A plain string is one line, whatever is in it; only a `Said` of our own may have several.
    """

    result: object
    text: str | Said | Sequence[str | Said] = ""
    good: bool = True
    problems: Sequence[FieldkitError] = ()
    damage: Sequence[Damage] = ()

    def lines(self) -> list[str]:
        if isinstance(self.text, str) or not isinstance(self.text, Sequence):
            return [operator.localized(self.text)] if self.text else []
        return [operator.localized(line) for line in self.text]


Function = Callable[..., "Reply | Iterator[Reply]"]


class Call:
    """One run of a command: where, in what language, for whom, and with which consent."""

    def __init__(self, context: click.Context) -> None:
        options = _options(context)
        self.home: Home = home_of(context)
        self.home_given = bool(options.get("home") or os.environ.get("FIELDKIT_HOME"))
        finish_taking(self.home)
        self.json: bool = bool(options.get("json"))
        self.yes: bool = bool(options.get("yes"))
        self._profiles: Profiles | None = None
        self.damage: list[Damage] = []
        self.modules: tuple[str, ...] = tuple(map(os.path.abspath, context.params.get("module") or ()))
        self._secret_files: dict[str, str] = {
            role: context.params[role.replace("-", "_") + "_file"]
            for role in ("pin", "new-pin", "so-pin", "password")
            if context.params.get(role.replace("-", "_") + "_file")
        }

    def gives(self, role: str) -> bool:
        """Whether a file with the secret of this role was named."""
        return role in self._secret_files

    def console(self) -> Console:
        """The operator behind this terminal (or its absence)."""
        from fieldkit.cli.console import Console

        return Console(yes=self.yes, secret_files=self._secret_files)

    def store(self) -> Store:
        """The local store, opened; use it as a context manager."""
        from fieldkit.journal.store import Store

        return Store.open(self.home.store)

    def profiles(self) -> Profiles:
        from fieldkit.profile.load import load

        if self._profiles is None:
            self._profiles = load(self.home)
        return self._profiles

    def trusted(self) -> TrustMaterial:
        """What the profiles in force judge certificates by."""
        from fieldkit.action.trust_material import gather

        return gather(self.home, self.profiles(), self.profiles().trusted)

    def trusting(self, anchors: Sequence[Path], crls: Sequence[Path]) -> TrustMaterial:
        """What signatures are judged by: these files; where no anchor is among them, the profiles' too."""
        from fieldkit.action.trust_material import named

        return named(self.home, self.profiles(), anchors, crls)

    def agents(self) -> contextlib.AbstractContextManager[Agents]:
        """The agents of the modules that were named, and of the profiles' that are on this machine."""
        from fieldkit.action.token_access import open_agents

        return open_agents(self.home, self.profiles(), named=self.modules, store=self.store)

    def tokens(self) -> contextlib.AbstractAsyncContextManager[TokenAccess]:
        """The same for an action; a token that is pulled out ends it."""
        from fieldkit.action.token_access import open_tokens

        return open_tokens(self.home, self.profiles(), self.console(), named=self.modules, store=self.store)

    def signing(self, token: str, certificate: str, signed: Said) -> Signing:
        """Does a work with the key of `certificate` on `token`, after one PIN; `signed` is shown before.

        A script that gives the PIN has agreed by giving it.
        """
        from fieldkit.action.sign_documents import one_signature

        async def signing(work: Callable[[RawSigner], Result]) -> Result:
            material, consented = self.trusted(), not self.console().attended
            async with (
                self.tokens() as tokens,
                one_signature(tokens, token, certificate, signed, material, consented=consented) as signer,
            ):
                return await asyncio.to_thread(work, signer)

        return signing

    @contextlib.contextmanager
    def visits(self) -> Iterator[Visits]:
        """The visits in the local store, until the end of the block; its damage is said with the answer."""
        with self.visits_in(self.home) as visits:
            try:
                yield visits
            except FieldkitError as error:
                _add_damage(error, self._damage(visits.store))
                raise
            self.damage = self._damage(visits.store)

    @staticmethod
    def _damage(store: Store) -> list[Damage]:
        return [damage for damage in store.damage() if not damage.accepted]

    @staticmethod
    @contextlib.contextmanager
    def visits_in(home: Home) -> Iterator[Visits]:
        """The visits in the store of `home`, until the end of the block."""
        from fieldkit.journal.store import Store
        from fieldkit.visit.visits import Visits

        with Store.open(home.store) as store:
            yield Visits(store, home)


def finish_taking(home: Home) -> None:
    """Go on with a kit's papers whose taking was broken off, and say so, before anything reads them."""
    if home.agreed.exists():
        from fieldkit.kit import load

        finished = load.finish(home)
        if finished is not None:
            sys.stderr.write(f"{finished}\n")


def _options(context: click.Context) -> dict[str, Any]:
    """The options of a command, with those that stand before it."""
    return context.find_root().params | {k: v for k, v in context.params.items() if v}


def home_of(context: click.Context) -> Home:
    """The home that a command is for."""
    return locate(_options(context).get("home"))


class _Translated:
    """A click object whose help is a `Said`, put into words when it is shown."""

    def __init__(self, *args: Any, help: Said | None = None, **kwargs: Any) -> None:
        self._help = help
        super().__init__(*args, **kwargs)

    @property
    def help(self) -> str | None:
        return str(self._help) if self._help is not None else None

    @help.setter
    def help(self, value: str | None) -> None:
        pass  # click sets it in its constructor, from what it was not given

    def get_short_help_str(self, limit: int = 45) -> str:
        return self.help or ""


class CommandOption(_Translated, click.Option):
    pass


class Verb(_Translated, click.Command):
    pass


class Noun(_Translated, click.Group):
    def verb(
        self, name: str, help: Said, *, secrets: Sequence[str] = (), modules: bool = False
    ) -> Callable[[Function], Verb]:
        """Hang a function into this noun as the command `name`; see `verb`."""

        def hang(function: Function) -> Verb:
            command = verb(name, help, secrets=secrets, modules=modules)(function)
            self.add_command(command)
            return command

        return hang


def option(*names: str, help: Said, **kwargs: Any) -> Callable[[Decorated], Decorated]:
    """`click.option` with help in two languages."""
    return click.option(*names, cls=CommandOption, help=help, **kwargs)


def noun(name: str, help: Said) -> Noun:
    """A group of commands about one thing."""
    return Noun(name, help=help, no_args_is_help=True)


def verb(
    name: str, help: Said, *, secrets: Sequence[str] = (), modules: bool = False
) -> Callable[[Function], Verb]:
    """Make a function a command.

    secrets: the roles it may ask for ("pin", "new-pin", "so-pin", "password"): each gets its file
    option. modules: it touches tokens, so it takes `--module`.
    """

    def hang(function: Function) -> Verb:
        parameters = list(reversed(function.__dict__.pop("__click_params__", [])))
        common = {parameter.name for parameter in parameters}

        def run(**arguments: object) -> None:
            context = click.get_current_context()
            call = Call(context)
            own = {key: value for key, value in arguments.items() if key in common}
            with click_words.unspoken():
                _answer(function(call, **own), call)

        command = Verb(name, help=help, callback=run, params=parameters)
        command.params += [*_common(), *_secret_options(secrets), *(_module_option() if modules else ())]
        return command

    return hang


def _common() -> list[click.Parameter]:
    return [
        CommandOption(["--home"], type=click.Path(), help=M("The folder fieldkit keeps its data in.")),
        CommandOption(
            ["--lang"],
            type=click.Choice(i18n.LANGUAGES),
            help=M("The language: {codes}.", codes=", ".join(i18n.LANGUAGES)),
        ),
        CommandOption(["--json"], is_flag=True, help=M("Print one JSON document.")),
        CommandOption(["--yes"], is_flag=True, help=M("Consent in advance to what the command does.")),
    ]


SECRET_HELP = {
    "pin": M("Read the PIN from this file's first line (- for standard input)."),
    "new-pin": M("Read the new PIN from this file's first line (- for standard input)."),
    "so-pin": M("Read the SO PIN or PUK from this file's first line (- for standard input)."),
    "password": M("Read the file's password from this file's first line (- for standard input)."),
}


def _secret_options(roles: Sequence[str]) -> Iterator[click.Parameter]:
    for role in roles:
        yield CommandOption([f"--{role}-file"], type=click.Path(allow_dash=True), help=SECRET_HELP[role])


def _module_option() -> Iterator[click.Parameter]:
    yield CommandOption(
        ["--module"], multiple=True, type=click.Path(), help=M("Another PKCS#11 module; may be repeated.")
    )


def _answer(answer: Reply | Iterator[Reply], call: Call) -> None:
    """Print one reply, or those of a stream as they come, and leave with 1 if the last was not good."""
    good = True
    for reply in [answer] if isinstance(answer, Reply) else answer:
        damages = [*reply.damage, *(damage for damage in call.damage if damage not in reply.damage)]
        if call.json:
            document = {"ok": True, "result": reply.result}
            if reply.problems:
                document["problems"] = [problem.as_dict() for problem in reply.problems]
            if damages:
                document["damage"] = [damage.shape() for damage in damages]
            _print(_json(document))
        else:
            for line in (*reply.lines(), *_damage_lines(damages)):
                _print(line)
        good = reply.good and all(damage.accepted for damage in damages)
    if not good:
        raise SystemExit(1)


def _damage_lines(damages: Sequence[Damage]) -> list[str]:
    """Damage as a person reads it below what was found, and what to do."""
    from fieldkit.journal.damage import advice

    return [*(f"! {damage.message}" for damage in damages), *map(str, advice(damages))]


def _add_damage(error: FieldkitError, damages: Sequence[Damage]) -> None:
    """An error met in a damaged store says the damage too: it may be the reason."""
    if damages:
        error.data = {"damage": [damage.shape() for damage in damages]} | error.data
        error.detail = "\n".join(filter(None, (error.detail, *_damage_lines(damages))))


def _json(document: object) -> str:
    """`document` in one line in which a terminal finds nothing to obey; parsed, it is what it was."""
    try:
        encoded = msgspec.json.encode(document, enc_hook=_shape)
    except UnicodeEncodeError:  # a name that is not UTF-8
        encoded = msgspec.json.encode(_encodable(msgspec.to_builtins(document, enc_hook=_shape)))
    return UNSEEN.sub(_escape, encoded.decode())


def _shape(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON shape")


def _encodable(value: object) -> object:
    """`value` with the bytes of names that are no text written out: JSON has only text."""
    if isinstance(value, str):
        return re.sub("[\ud800-\udfff]", lambda lone: visible(lone[0]), value)
    if isinstance(value, dict):
        return {_encodable(key): _encodable(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_encodable(member) for member in value]
    return value


def _escape(unseen: re.Match[str]) -> str:
    units = unseen[0].encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Root(Noun):
    """The command `fieldkit`: nouns are imported when they are named."""

    places: dict[str, str] = {  # noqa: RUF012 (a table, never changed)
        "certificate": "fieldkit.cli.certificate:certificate",
        "checklist": "fieldkit.cli.checklist:checklist",
        "demo": "fieldkit.cli.demo:demo",
        "doctor": "fieldkit.cli.doctor:doctor",
        "driver": "fieldkit.cli.driver:driver",
        "exchange": "fieldkit.cli.exchange:exchange",
        "kit": "fieldkit.cli.kit:kit",
        "plan": "fieldkit.cli.plan:plan",
        "record": "fieldkit.cli.record:record",
        "setup": "fieldkit.cli.setup:setup",
        "sign": "fieldkit.cli.sign:sign",
        "store": "fieldkit.cli.store:store",
        "sync": "fieldkit.cli.sync:sync",
        "token": "fieldkit.cli.token:token",
        "verify": "fieldkit.cli.verify:verify",
        "visit": "fieldkit.cli.visit:visit",
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = self.places.get(cmd_name)
        if place is None:
            return None
        module, attribute = place.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


def root() -> Root:
    """The whole command line."""
    return Root(
        PROGRAM,
        help=M("Bring digital signatures to an office in the field."),
        params=_common(),
        no_args_is_help=True,
    )


def run(arguments: Sequence[str]) -> int:
    """Run one command; return its exit status. Every error becomes words or one JSON document."""
    as_json = "--json" in arguments
    with click_words.spoken():
        return _run(arguments, as_json)


def _run(arguments: Sequence[str], as_json: bool) -> int:
    try:
        outcome = root().main(list(arguments), prog_name=PROGRAM, standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        sys.stderr.write(visible(error.format_message(), keep="\n") + "\n")
        return 2
    except click.ClickException as error:
        return report_error(errors.Misused(M("{problem}", problem=error.format_message())), as_json)
    except (click.Abort, KeyboardInterrupt):
        return report_error(
            errors.Cancelled(M("Stopped by you."), hint=M("Run the command again to go on.")), as_json
        )
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except Exception as error:
        return report_error(errors.as_error(error), as_json)


def report_error(error: FieldkitError, as_json: bool) -> int:
    """Say `error` as the command line does, and return its exit status."""
    if as_json:
        _print(_json({"ok": False, "error": error.as_dict()}))
    else:
        sys.stderr.write("\n".join(error.lines()) + "\n")
        if error.detail:
            sys.stderr.write(visible(error.detail, keep="\n") + "\n")
    return error.status
