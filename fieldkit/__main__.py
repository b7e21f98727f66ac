"""The program: `fieldkit` alone opens the screens, with a command it runs that. It imports what it must."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Sequence


def _option(arguments: Sequence[str], name: str) -> str | None:
    """The value of a global option, wherever it stands."""
    for place, argument in enumerate(arguments):
        if argument == name and place + 1 < len(arguments):
            return arguments[place + 1]
        if argument.startswith(name + "="):
            return argument.partition("=")[2]
    return None


def _open_streams() -> None:
    """Standard streams that were closed lead nowhere: a file opened later must not get their numbers.

    What is there speaks UTF-8 whatever the locale is; a letter that cannot be written stops no command.
    """
    for descriptor, mode in ((0, "r"), (1, "w"), (2, "w")):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        name = ("stdin", "stdout", "stderr")[descriptor]
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors=stream.errors if stream is sys.stdin else "replace")


def _speak_utf8() -> None:
    """Begin anew in Python's UTF-8 mode where the locale has another encoding: names are typed in UTF-8."""
    if os.name == "posix" and codecs.lookup(sys.getfilesystemencoding()).name != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 (itself)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `fieldkit` with `arguments` (without the program's name); return the exit status."""
    if arguments is None:
        _speak_utf8()
        _open_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words == ["--version"]:
        from fieldkit import __version__

        sys.stdout.write(__version__ + "\n")
        return 0
    from fieldkit import i18n
    from fieldkit.secret import keep_memory_private

    keep_memory_private()
    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")  # libraries' remarks would be drawn over the screens
    import logging

    logging.getLogger().addHandler(logging.NullHandler())  # without one, what libraries log goes to stderr
    i18n.use(_option(words, "--lang") or os.environ.get("FIELDKIT_LANG") or _language_set(words))
    if "_FIELDKIT_COMPLETE" in os.environ:  # a shell asks what could stand there
        from fieldkit.cli.completion import answer

        return answer()
    if opens_screens(words):
        from fieldkit.home import HomeMissing, locate

        try:
            home = locate(_option(words, "--home"))
        except HomeMissing as error:
            from fieldkit.cli.frame import report_error

            return report_error(error, as_json=False)
        if home.agreed.exists():
            from fieldkit.cli.frame import finish_taking

            finish_taking(home)
        from fieldkit.tui.start import run as run_screens

        return run_screens(home, lang=i18n.language())
    from fieldkit.cli.frame import run

    return run(words)


def _language_set(arguments: Sequence[str]) -> str:
    """The language that the person set for good, or ""."""
    from fieldkit.home import HomeMissing, locate
    from fieldkit.settings import load_or_default

    try:
        return load_or_default(locate(_option(arguments, "--home"))).language
    except HomeMissing:
        return ""  # said by what needs the home


def opens_screens(arguments: Sequence[str]) -> bool:
    """The words are `--home`, `--lang` and their values alone, or none."""
    rest = iter(arguments)
    for argument in rest:
        if argument in ("--home", "--lang"):
            if next(rest, None) is None:
                return False
        elif not argument.startswith(("--home=", "--lang=")):
            return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
