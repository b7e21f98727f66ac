"""`fieldkit setup`: who the person is, in which language and looks fieldkit speaks to them."""

from __future__ import annotations

import asyncio
from typing import TypedDict, Unpack

import click
import msgspec

from fieldkit import i18n, settings
from fieldkit.cli.completion import SHELLS, Shell, script
from fieldkit.cli.frame import Call, Reply, option, verb
from fieldkit.cli.manual import page
from fieldkit.cli.output import data
from fieldkit.operator import Option, Question
from fieldkit.settings import Settings
from fieldkit.text import M

THEMES = ("dark", "light")
COLOURS = ("none", "16", "256", "truecolor")


class SettingsOptions(TypedDict):
    """What is to be set; None or "" leaves it as it is."""

    who: str
    language: str | None
    theme: str | None
    colours: str | None


@verb("setup", M("Who you are, and how fieldkit speaks to you; asks for it where nothing is given."))
@option("--who", default="", help=M("Your full name, as it stands in records."))
@option("--language", type=click.Choice(i18n.LANGUAGES), help=M("The language of screens and commands."))
@option("--theme", type=click.Choice(THEMES), help=M("Light or dark screens."))
@option("--colours", type=click.Choice(COLOURS), help=M("How many colours the terminal shows."))
@option(
    "--completion",
    type=click.Choice(SHELLS),
    help=M("Print what this shell has to read to complete fieldkit's words; nothing is set."),
)
@option("--manual", is_flag=True, help=M("Print the manual page, for `man -l -`; nothing is set."))
def setup(call: Call, completion: Shell | None, manual: bool, **options: Unpack[SettingsOptions]) -> Reply:
    if completion:
        text = script(completion)
        return Reply({"completion": completion, "script": text}, text.splitlines())
    if manual:
        text = page()
        return Reply({"manual": text}, text.splitlines())
    now = settings.load(call.home)
    chosen = {name: str(value) for name, value in options.items() if value}
    if not chosen and call.console().attended:
        chosen = asyncio.run(_ask(call, now))
    if "who" in chosen:
        chosen["who"] = settings.full_name(chosen["who"])
    if chosen:
        now = msgspec.structs.replace(now, **chosen)
        settings.save(call.home, now)
        i18n.use(now.language or i18n.language())
    return Reply(
        data(now),
        [
            M("Name: {who}", who=now.who) if now.who else M("Name: not set"),
            M("Language: {language}", language=now.language or i18n.language()),
            M("Screens: {theme}, {colours}", theme=now.theme or "dark", colours=now.colours or "auto"),
        ],
    )


async def _ask(call: Call, now: Settings) -> dict[str, str]:
    console = call.console()
    languages = tuple(Option(code, language.name) for code, language in i18n.LANGUAGES.items())
    themes = (Option("dark", M("dark")), Option("light", M("light")))
    who = await console.ask(msgspec.structs.replace(settings.WHO, default=now.who))
    language = Question("language", M("Language"), languages, default=now.language or i18n.language())
    theme = Question("theme", M("Screens"), themes, default=now.theme or "dark")
    return ({"who": who} if who else {}) | {
        "language": await console.ask(language),
        "theme": await console.ask(theme),
    }
