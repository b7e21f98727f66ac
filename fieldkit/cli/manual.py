"""The manual page, as man(7) has it, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click

from fieldkit import __version__
from fieldkit.cli import click_words
from fieldkit.cli.frame import PROGRAM, root
from fieldkit.text import M, Said

STATUSES: dict[int, Said] = {
    0: M("Done, and good."),
    1: M("Done, and the answer is no: a check failed, a signature is invalid, the store is damaged."),
    2: M("Wrong use: the call, or a file given to it."),
    3: M("Refused for safety, or not consented to."),
    4: M("Something needed is missing: module, token, file, rights, space, network."),
    5: M("A fault inside fieldkit, or in a module it runs."),
}
VARIABLES: dict[str, Said] = {
    "FIELDKIT_HOME": M("The folder fieldkit keeps its data in, where --home names none."),
    "FIELDKIT_LANG": M("The language, where --lang names none."),
}


def page() -> str:
    """The page in the language in force."""
    with click_words.spoken():
        return "\n".join(_page()) + "\n"


def _page() -> Iterator[str]:
    whole = root()
    context = click.Context(whole, info_name=PROGRAM)
    yield r"'\" -*- coding: utf-8 -*-"
    yield f'.TH {PROGRAM.upper()} 1 "" "{PROGRAM} {__version__}" "{PROGRAM}"'
    yield _heading(M("Name"))
    yield f"{PROGRAM} \\- {_text(whole.help or '').rstrip('.')}"
    yield _heading(M("Synopsis"))
    yield f".B {PROGRAM}"
    yield _text(" ".join(whole.collect_usage_pieces(context)))
    yield _heading(M("Description"))
    yield _text(M("Without a command it opens the screens. Everything they do, a command does too."))
    yield _heading(M("Options"))
    common = whole.get_params(context)
    for parameter in common:
        yield from _parameter(parameter, context)
    yield _heading(M("Commands"))
    for name in whole.list_commands(context):
        command = whole.get_command(context, name)
        assert command is not None
        yield from _command(
            command, click.Context(command, context, name), {tuple(option.opts) for option in common}
        )
    yield _heading(M("Exit status"))
    for status, meaning in STATUSES.items():
        yield from _entry(str(status), meaning)
    yield _heading(M("Environment"))
    for variable, meaning in VARIABLES.items():
        yield from _entry(variable, meaning)


def _command(command: click.Command, context: click.Context, common: set[tuple[str, ...]]) -> Iterator[str]:
    if isinstance(command, click.Group):
        for name, verb in sorted(command.commands.items()):
            yield from _command(verb, click.Context(verb, context, name), common)
        return
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield f".SS {_text(usage)}"
    yield _text(command.help or "")
    for parameter in command.get_params(context):
        if tuple(parameter.opts) not in common:
            yield from _parameter(parameter, context)


def _parameter(parameter: click.Parameter, context: click.Context) -> Iterator[str]:
    record = parameter.get_help_record(context)
    if record and record[1]:
        yield from _entry(*record)


def _entry(term: str, meaning: Said | str) -> Iterator[str]:
    yield ".TP"
    yield rf"\fB{_text(term)}\fR"
    yield _text(meaning)


def _heading(words: Said) -> str:
    return f".SH {str(words).upper()}"


def _text(words: Said | str) -> str:
    """Words as roff takes them: nothing in them is a request, and a hyphen is the one that is typed."""
    text = " ".join(str(words).split()).replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text
