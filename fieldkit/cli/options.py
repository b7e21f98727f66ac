"""Options that several commands take, each written once."""

from __future__ import annotations

from pathlib import Path

import click

from fieldkit.cli import completion
from fieldkit.cli.frame import Decorated, option
from fieldkit.text import M

FILE = click.Path(path_type=Path)


def trust(function: Decorated) -> Decorated:
    """What signatures and certificates are judged by: `trust` and `crl`, as tuples of paths."""
    for name, message in (
        ("--crl", M("A revocation list; may be repeated.")),
        ("--trust", M("A root certificate; repeatable.")),
    ):
        function = option(name, multiple=True, type=FILE, help=message)(function)
    return function


def revocation(function: Decorated) -> Decorated:
    """Whether it has to be known that certificates are not revoked: `network` and `no_revocation`."""
    for name, message in (
        ("--no-revocation", M("Do without knowing whether a certificate is revoked.")),
        ("--network", M("Ask the authorities' servers about revocation.")),
    ):
        function = option(name, is_flag=True, help=message)(function)
    return function


certificate = option(
    "--certificate", default="", help=M("Which certificate on it: CKA_ID, label or SHA-256.")
)
token = option(
    "--token",
    required=True,
    shell_complete=completion.tokens,
    help=M("The token: its URI, label or serial number."),
)
replace = option("--replace", is_flag=True, help=M("Replace the output if it is there."))
appearance = option(
    "--no-appearance", is_flag=True, help=M("Do not draw the pages to see what was changed on them.")
)


def out(function: Decorated) -> Decorated:
    """The file to write, and whether to replace one that is there: `out` and `replace`."""
    return option("--out", type=FILE, required=True, help=M("The file to write."))(replace(function))
