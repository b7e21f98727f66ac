"""`fieldkit checklist`: check checklists and profiles, read an XLSForm, write one."""

from __future__ import annotations

from pathlib import Path

import click

from fieldkit.cli import completion, options
from fieldkit.cli.frame import Call, Reply, noun, option
from fieldkit.cli.options import FILE
from fieldkit.cli.output import Data
from fieldkit.errors import FieldkitError
from fieldkit.text import M, Message, Said
from fieldkit.text_output import SYMBOLS

checklist = noun("checklist", M("Check checklists and profiles; read and write XLSForm."))


@checklist.verb("list", M("The checklists that a visit can follow."))
def list_(call: Call) -> Reply:
    from fieldkit.checklist import load
    from fieldkit.yaml_model import Invalid

    result: list[Data] = []
    lines: list[str | Said] = []
    for name in load.names(call.home):
        path = load.find(name, call.home)
        try:
            known = load.load(path)
        except Invalid as error:  # one that is being written is no reason to hide the others
            message = error.problems[0].placed
            result.append({"checklist": name, "path": str(path), "problem": str(message)})
            lines.append(M("{name}: cannot be used: {problem}", name=name, problem=message))
            continue
        count = sum(1 for _ in known.items())
        result.append(
            {
                "checklist": name,
                "version": known.version,
                "title": str(known.title),
                "items": count,
                "path": str(path),
            }
        )
        lines.append(
            M(
                "{name} {version}: {title}, {count} items",
                name=name,
                version=known.version,
                title=str(known.title),
                count=count,
            )
        )
    return Reply(result, lines)


@checklist.verb("check", M("Read checklists or profiles and say every problem with its line and column."))
@click.argument("files", metavar="FILE...", nargs=-1, required=True, shell_complete=completion.files)
def check(call: Call, files: tuple[str, ...]) -> Reply:
    result: list[Data] = []
    lines: list[str | Said] = []
    for name in files:
        warnings: list[Message] = []
        problems, problem_lines = _problems(name, call, warnings)
        texts = [str(warning) for warning in warnings]
        result.append({"file": name, "ok": not problems, "problems": problems, "warnings": texts})
        lines += problem_lines or [M("{file}: in order", file=name)]
        lines += [f"{SYMBOLS['warning']} {text}" for text in texts]
    return Reply(result, lines, good=all(file["ok"] for file in result))


def _problems(name: str, call: Call, warnings: list[Message]) -> tuple[list[Data], list[str | Said]]:
    """What is wrong with one file, for programs and for people; doubts go into `warnings`."""
    from fieldkit.certificate.name import OIDS, SPOKEN
    from fieldkit.checklist import load
    from fieldkit.checklist.errors import FormInvalid
    from fieldkit.checklist.xlsform import convert
    from fieldkit.profile import load as profiles
    from fieldkit.yaml_model import Invalid

    path = Path(name)
    try:
        if path.suffix.lower() in (".xlsx", ".xlsm", ".xls"):
            warnings += load.doubts(convert.read_form(path, _procedures()).checklist)
        elif path.is_file() and (kind := profiles.kind_of(path)):
            known = profiles.KnownNames(load.names(call.home), {name.upper() for name in (*OIDS, *SPOKEN)})
            profiles.check(path, kind, call.home, known)
        else:
            warnings += load.doubts(load.load(load.find(name, call.home), _procedures()))
    except Invalid as error:
        placed: list[Data] = [{**problem.as_dict()} for problem in error.problems]
        return placed, [str(problem) for problem in error.problems]
    except FormInvalid as error:
        problems: list[Data] = [
            {"file": name, "line": problem.row, **problem.as_dict()} for problem in error.problems
        ]
        return problems, [problem.placed_message for problem in error.problems]
    except FieldkitError as error:
        unread: Data = {"file": name, "line": 0, "column": 0, "message": str(error.message)}
        return [unread], [*error.lines()]
    return [], []


def _procedures() -> frozenset[str]:
    """The names of the procedures of this release."""
    import importlib
    import inspect
    import pkgutil

    from fieldkit import procedure

    names = [module.name for module in pkgutil.iter_modules(procedure.__path__)]
    modules = {name: importlib.import_module(f"{procedure.__name__}.{name}") for name in names}
    return frozenset(
        name for name, module in modules.items() if inspect.iscoroutinefunction(getattr(module, "run", None))
    )


@checklist.verb("import", M("Make a checklist of an XLSForm workbook."))
@click.argument("form", metavar="FORM.xlsx", type=FILE)
@option("--out", type=FILE, help=M("The file to write; beside the form unless given."))
@options.replace
def import_(call: Call, form: Path, out: Path | None, replace: bool) -> Reply:
    from fieldkit.checklist.xlsform import convert

    target = out or form.with_suffix(".yaml")
    workbook = convert.read_form(form, _procedures())
    made = convert.save(workbook, form.name, target, replace)
    result = {
        "checklist": made.id,
        "version": made.version,
        "items": sum(1 for _ in made.items()),
        "out": str(target),
        "left_out": [problem.as_dict() for problem in workbook.left_out],
    }
    lines: list[str | Said] = [
        M("Left out: {problem}", problem=problem.placed_message) for problem in workbook.left_out
    ]
    return Reply(result, [*lines, M("The checklist was written: {path}", path=str(target))])


@checklist.verb("export", M("Make an XLSForm workbook of a checklist."))
@click.argument("name", metavar="FILE", shell_complete=completion.checklists)
@option("--out", type=FILE, help=M("The file to write; NAME.xlsx here unless given."))
@options.replace
def export(call: Call, name: str, out: Path | None, replace: bool) -> Reply:
    from fieldkit.checklist import load
    from fieldkit.checklist.xlsform import convert

    form = load.load(load.find(name, call.home))
    target = out or Path(f"{form.id}.xlsx")
    convert.export_form(form, target, replace)
    return Reply(
        {"checklist": form.id, "items": sum(1 for _ in form.items()), "out": str(target)},
        M("The form was written: {path}", path=str(target)),
    )
