"""YAML into typed values: a file and a struct in, the value or every problem with its line and column out.

The struct is the schema. Scalars are read by the type they go to, so `no` in a text is "no". What a
file means beyond its types (references, expressions) is checked by the rooms, with places from here.
"""

from __future__ import annotations

import datetime
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import msgspec
from msgspec import inspect

from fieldkit.errors import Missing, Misused
from fieldkit.text import M, Message, Said, Words, nfc
from fieldkit.yaml_words import CONTROL, REFERENCE, TOO_DEEP, complaint, in_words, place

T = TypeVar("T")
Node = Any  # of yaml, which is imported when the first file is read; its stubs know no `id` and `style`
LARGEST = 4 * 1024 * 1024
DEEPEST = 40
TOLD = 100
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,15})")
_WRONG = object()
_TOO_LARGE = M("The file is larger than {count} bytes.", count=LARGEST)
_NOT_UTF8 = M("This is not UTF-8 text. Save the file as UTF-8.")


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong in a file; line and column count from 1."""

    file: str
    line: int
    column: int
    message: Said

    def __str__(self) -> str:
        return str(self.placed)

    def as_dict(self) -> dict[str, str | int]:
        """Its JSON shape."""
        return {"file": self.file, "line": self.line, "column": self.column, "message": str(self.message)}

    @property
    def placed(self) -> Message:
        """The place and the problem, in the language in force when it is shown."""
        problem = self.message if isinstance(self.message, Message) else str(self.message)
        return M(
            "{file}:{line}:{column}: {problem}",
            file=self.file,
            line=self.line,
            column=self.column,
            problem=problem,
        )


class Invalid(Misused, code="yaml-invalid"):
    """A YAML file does not say what it has to; `problems` has every reason."""

    mend: ClassVar[Message] = M("Mend the file, then check it with `fieldkit checklist check FILE`.")

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0].placed
        super().__init__(
            first
            if len(problems) == 1
            else M("{place} (and {count} more)", place=first, count=len(problems) - 1),
            unchanged=M("Nothing of this file was used."),
            hint=self.mend,
            detail="\n".join(str(problem) for problem in problems) if len(problems) > 1 else "",
            problems=[problem.as_dict() for problem in problems],
        )
        self.problems = tuple(problems)


class YamlUnreadable(Missing, code="file-unreadable"):
    """A YAML file is not there, or may not be read."""


class Document(Generic[T]):
    """A value and where in its file each part of it stands."""

    def __init__(self, value: T, name: str, root: Node) -> None:
        self.value = value
        self.name = name
        self._root = root

    def problem(self, path: Iterable[str | int], message: Said, offset: int = 0) -> Problem:
        """A problem with the part at `path` (keys and indexes from the root).

        offset: characters into the text there; counted only where the text stands as it is read.
        """
        node = self._root
        for step in path:
            below = _child(node, step)
            if below is None:
                break
            node = below
        line, column = node.start_mark.line, node.start_mark.column
        if offset and _stands_as_read(node):
            column += offset + (1 if node.style else 0)
        return Problem(self.name, line + 1, column + 1, message)


def load(path: Path, shape: type[T], error: type[Invalid] = Invalid) -> T:
    """The value of the file at `path`.

    :raises YamlUnreadable: the file is not there. :raises Invalid: (as `error`) it is not what it should be.
    """
    return read_yaml(text_of(path, error), str(path), shape, error).value


def text_of(path: Path, error: type[Invalid] = Invalid) -> str:
    """The text of the file at `path`, which has to be UTF-8 of at most `LARGEST` bytes."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as reason:
        raise YamlUnreadable(
            M("The file cannot be read: {path} ({reason}).", path=str(path), reason=reason.strerror or ""),
            hint=M("Check the name and your rights."),
        ) from None
    if len(data) > LARGEST:  # before it is decoded: the cut may be in the middle of a letter
        raise error([Problem(str(path), 1, 1, _TOO_LARGE)])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        before = data[: reason.start]
        line = before.count(b"\n") + 1
        column = len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        raise error([Problem(str(path), line, column, _NOT_UTF8)]) from None


def read_yaml(text: str, name: str, shape: type[T], error: type[Invalid] = Invalid) -> Document[T]:
    """The document in `text`; `name` is the file's, for problems.

    :raises Invalid: (as `error`) with every problem found.
    """
    root = _compose(text, name, error)
    reader = _Reader(name)
    value: Any = reader.read(root, _shape(shape), 0)  # a T, if there is no problem
    if reader.problems:
        reader.problems.sort(key=lambda problem: (problem.line, problem.column))
        if reader.untold:
            last = root.end_mark
            message = M("Further problems, which are not listed: {count}.", count=reader.untold + 1)
            reader.problems[-1:] = [Problem(name, last.line + 1, last.column + 1, message)]
        raise error(reader.problems)
    return Document(value, name, root)


Plain = str | list["Plain"] | dict[str, "Plain"] | None
"""What a file holds whose keys are not ours: values are the texts they are, None where nothing is said."""


def plain_values(text: str, name: str, error: type[Invalid] = Invalid) -> dict[str, Plain]:
    """The mapping in `text`; `name` is the file's, for problems.

    :raises Invalid: (as `error`) it is no YAML, or something stands there that is no list, mapping or text.
    """
    root = _compose(text, name, error)
    reader = _Reader(name)
    values = reader.read_plain(root, 0)
    if not reader.problems and not isinstance(values, dict):
        reader.problems.append(Problem(name, 1, 1, M("Keys and values are expected here.")))
    if reader.problems:
        raise error(reader.problems)
    assert isinstance(values, dict)
    return values


def keys_of(text: str, name: str) -> set[str]:
    """The keys that the mapping in `text` begins with, whatever is below them; none of anything else.

    :raises Invalid: it is no YAML.
    """
    root = _compose(text, name, Invalid)
    return {str(key.value) for key, _ in root.value} if root.id == "mapping" else set()


def _compose(text: str, name: str, error: type[Invalid]) -> Node:
    import yaml

    if len(text) > LARGEST:
        raise error([Problem(name, 1, 1, _TOO_LARGE)])
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as reason:
        line, column, message = complaint(text, reason)
        raise error([Problem(name, line, column, message)]) from None
    except UnicodeError as reason:
        raise error([Problem(name, *place(text, getattr(reason, "start", 0)), _NOT_UTF8)]) from None
    except yaml.YAMLError as reason:
        line, column = place(text, getattr(reason, "position", 0))
        raise error([Problem(name, line, column, in_words(str(getattr(reason, "reason", ""))))]) from None
    except RecursionError:
        raise error([Problem(name, 1, 1, TOO_DEEP)]) from None
    if root is None:
        raise error([Problem(name, 1, 1, M("The file is empty."))])
    return root


def _shape(shape: type) -> inspect.Type:
    if shape not in _SHAPES:
        _SHAPES[shape] = inspect.type_info(shape)
    return _SHAPES[shape]


_SHAPES: dict[type, inspect.Type] = {}
_FIELDS: dict[type, dict[str, inspect.Field]] = {}


def _fields(shape: inspect.StructType) -> dict[str, inspect.Field]:
    if shape.cls not in _FIELDS:
        _FIELDS[shape.cls] = {field.encode_name: field for field in shape.fields}
    return _FIELDS[shape.cls]


class _Reader:
    """Reads nodes by the shape they should have, and goes on after a problem."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[Problem] = []
        self.untold = 0
        self._seen: set[int] = set()

    def read(self, node: Node, shape: inspect.Type, depth: int) -> object:
        shape = _present(shape)
        if node.id != "scalar":
            if id(node) in self._seen:
                return self._wrong(node, REFERENCE)
            self._seen.add(id(node))
            if depth > DEEPEST:
                return self._wrong(node, TOO_DEEP)
        match shape:
            case inspect.StructType():
                return self._struct(node, shape, depth)
            case inspect.VarTupleType() | inspect.ListType():
                return self._sequence(node, shape, depth)
            case inspect.DictType():
                return self._mapping(node, shape, depth)
            case inspect.UnionType():
                return self._union(node, shape)
            case _:
                return self._scalar(node, shape)

    def read_plain(self, node: Node, depth: int) -> Plain:
        """What stands there, whatever it is; each part once."""
        if node.id == "scalar":
            return None if node.tag.endswith(":null") else nfc(node.value)
        if id(node) in self._seen or depth > DEEPEST:
            self._wrong(node, REFERENCE if id(node) in self._seen else TOO_DEEP)
            return ""
        self._seen.add(id(node))
        if node.id == "sequence":
            return [self.read_plain(child, depth + 1) for child in node.value]
        return {nfc(key.value): self.read_plain(value, depth + 1) for key, value in self._pairs(node)}

    def _struct(self, node: Node, shape: inspect.StructType, depth: int) -> object:
        if node.id != "mapping":
            return self._wrong(node, M("Keys and values are expected here."))
        fields = _fields(shape)
        values: dict[str, object] = {}
        good = True
        for key, value_node in self._pairs(node):
            field = fields.get(key.value)
            if field is None:
                self._unknown(key, fields)
                good = False
                continue
            value = self.read(value_node, field.type, depth + 1)
            good = good and value is not _WRONG
            if shape.cls is Words and isinstance(value, str) and not value.strip():
                value = self._wrong(value_node, M("The text is empty."))
                good = False
            values[field.name] = value
        for name, field in fields.items():
            if field.required and field.name not in values:
                self._wrong(node, M("The key `{key}` is missing.", key=name))
                good = False
        return shape.cls(**values) if good else _WRONG

    def _mapping(self, node: Node, shape: inspect.DictType, depth: int) -> object:
        if node.id != "mapping":
            return self._wrong(node, M("Keys and values are expected here."))
        values = {
            nfc(key.value): self.read(value, shape.value_type, depth + 1) for key, value in self._pairs(node)
        }
        return _WRONG if any(value is _WRONG for value in values.values()) else values

    def _sequence(self, node: Node, shape: inspect.VarTupleType | inspect.ListType, depth: int) -> object:
        if node.id != "sequence":
            return self._wrong(node, M("A list is expected here (lines that begin with `- `, or [a, b])."))
        values = [self.read(child, shape.item_type, depth + 1) for child in node.value]
        if any(value is _WRONG for value in values):
            return _WRONG
        return tuple(values) if isinstance(shape, inspect.VarTupleType) else values

    def _union(self, node: Node, shape: inspect.UnionType) -> object:
        kinds = shape.types
        if node.id != "scalar":
            return self._wrong(node, M("One value is expected here."))
        for kind in (inspect.BoolType, inspect.IntType, inspect.StrType):
            wanted = next((shape for shape in kinds if isinstance(shape, kind)), None)
            if wanted is not None and (kind is inspect.StrType or _fits(node, kind)):
                return self._scalar(node, wanted)
        return self._wrong(node, M("One value is expected here."))

    def _scalar(self, node: Node, shape: inspect.Type) -> object:
        if node.id != "scalar":
            return self._wrong(node, M("One value is expected here."))
        text = nfc(node.value)
        if not text and not node.style:
            return self._wrong(node, M("The value is missing."))
        if any(unicodedata.category(sign) == "Cc" and sign not in "\n\t" for sign in text):
            return self._wrong(node, CONTROL)  # it would reach a terminal
        match shape:
            case inspect.StrType():
                return text
            case inspect.BoolType():
                if _fits(node, inspect.BoolType):
                    return text == "true"
                return self._wrong(node, M("`true` or `false` is expected here."))
            case inspect.IntType():
                if _fits(node, inspect.IntType):
                    return int(text)
                return self._wrong(node, M("A whole number is expected here."))
            case inspect.DateType():
                try:
                    return datetime.date.fromisoformat(text)
                except ValueError:
                    return self._wrong(node, M("A date is expected here, such as 2026-11-24."))
            case inspect.LiteralType():
                if text in shape.values:
                    return text
                message = M(
                    "`{value}` is not one of: {known}.", value=text, known=", ".join(map(str, shape.values))
                )
                return self._wrong(node, message)
        raise TypeError(f"no way to read {type(shape).__name__} from YAML")

    def _pairs(self, node: Node) -> list[tuple[Node, Node]]:
        pairs: list[tuple[Node, Node]] = []
        seen: set[str] = set()
        for key, value in node.value:
            if key.id != "scalar":
                self._wrong(key, M("A key has to be a word."))
            elif key.value in seen:
                self._wrong(key, M("The key `{key}` is here twice.", key=key.value))
            else:
                seen.add(key.value)
                pairs.append((key, value))
        return pairs

    def _unknown(self, key: Node, fields: Iterable[str]) -> None:
        from difflib import get_close_matches

        near = get_close_matches(key.value, list(fields), 1)
        if near:
            self._wrong(
                key, M("The key `{key}` is not known; is `{near}` meant?", key=key.value, near=near[0])
            )
        else:
            self._wrong(
                key,
                M("The key `{key}` is not known. Known: {known}.", key=key.value, known=", ".join(fields)),
            )

    def _wrong(self, node: Node, message: Message) -> object:
        if len(self.problems) < TOLD:
            mark = node.start_mark
            self.problems.append(Problem(self.name, mark.line + 1, mark.column + 1, message))
        else:
            self.untold += 1
        return _WRONG


def _present(shape: inspect.Type) -> inspect.Type:
    """What `X | None` is when it is there."""
    if isinstance(shape, inspect.UnionType):
        kinds = [kind for kind in shape.types if not isinstance(kind, inspect.NoneType)]
        if len(kinds) == 1:
            return kinds[0]
    return shape


def _fits(node: Node, kind: type[inspect.Type]) -> bool:
    """A plain scalar that reads as a `kind`; quoted ones are text."""
    if node.style:
        return False
    if kind is inspect.BoolType:
        return node.value in ("true", "false")
    return _INTEGER.fullmatch(node.value) is not None


def _child(node: Node, step: str | int) -> Node | None:
    if isinstance(step, int):
        return node.value[step] if node.id == "sequence" and step < len(node.value) else None
    if node.id != "mapping":
        return None
    return next((value for key, value in node.value if key.value == step), None)


def _stands_as_read(node: Node) -> bool:
    """The scalar is one line, with nothing escaped or folded, so that offsets are columns."""
    if node.id != "scalar" or node.style in ("|", ">"):
        return False
    quotes = 2 if node.style else 0
    start, end = node.start_mark, node.end_mark
    return bool(start.line == end.line and end.column - start.column == len(node.value) + quotes)
