"""The program: `fieldkit` alone opens the screens, with a command it runs that. It imports what it must."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def _given(arguments: Sequence[str], name: str) -> str | None:
    """The value of a global option, wherever it stands."""
    for place, argument in enumerate(arguments):
        if argument == name and place + 1 < len(arguments):
            return arguments[place + 1]
        if argument.startswith(name + "="):
            return argument.partition("=")[2]
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `fieldkit` with `arguments` (without the program's name); return the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        from fieldkit import __version__

        sys.stdout.write(__version__ + "\n")
        return 0
    from fieldkit import i18n

    if not sys.warnoptions:
        import warnings

        warnings.simplefilter("ignore")  # libraries' remarks would be drawn over the screens
    import logging

    logging.getLogger().addHandler(logging.NullHandler())  # without one, what libraries log goes to stderr
    i18n.use(_given(given, "--lang"))
    if opens_screens(given):
        from fieldkit.home import locate
        from fieldkit.tui.start import run as run_screens

        return run_screens(locate(_given(given, "--home")), lang=_given(given, "--lang"))
    from fieldkit.cli.frame import run

    return run(given)


def opens_screens(arguments: Sequence[str]) -> bool:
    """Nothing but `--home` and `--lang` was given."""
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
