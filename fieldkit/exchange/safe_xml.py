"""Read XML from strangers: no document type, so no entities, nothing fetched; depth and size limited."""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

import msgspec

from fieldkit.errors import FieldkitError
from fieldkit.exchange.errors import PackageUnfit
from fieldkit.text import M, Message

DEEPEST = 40
MOST_ELEMENTS = 20_000
LARGEST = 256 * 1024 * 1024  # bytes


class Element(msgspec.Struct):
    """An element: name without namespace, namespace, attributes, own text, children.

    commented: a comment stands in its text, which no signature covers and some readers end the text at.
    """

    name: str
    namespace: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = []
    commented: bool = False

    def all(self) -> Iterator[Element]:
        """It, and every element below it."""
        yield self
        for child in self.children:
            yield from child.all()

    def find(self, *path: str) -> Element | None:
        """The first element down `path`, by names without namespace."""
        at: Element | None = self
        for name in path:
            at = next((child for child in at.children if child.name == name), None) if at else None
        return at

    def value(self, *path: str) -> str:
        """The text of the first element down `path`, trimmed; "" where there is none."""
        element = self.find(*path)
        return element.text.strip() if element else ""


def parse(data: bytes) -> Element:
    """The root element of `data`.

    :raises PackageUnfit: it is not XML, or breaks one of the limits.
    """
    if len(data) > LARGEST:
        raise _unfit(M("The package is too large."))
    reader = expat.ParserCreate(namespace_separator=" ")
    reader.buffer_text = True
    stack: list[Element] = []
    texts: list[list[str]] = []
    roots: list[Element] = []
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > MOST_ELEMENTS or len(stack) >= DEEPEST:
            raise _unfit(M("The package holds more elements, or deeper ones, than any real one does."))
        namespace, _, local = name.rpartition(" ")
        made = Element(local, namespace, {key.rpartition(" ")[2]: value for key, value in attributes.items()})
        (stack[-1].children if stack else roots).append(made)
        stack.append(made)
        texts.append([])

    def end(_: str) -> None:
        stack.pop().text = "".join(texts.pop())

    def text(part: str) -> None:
        texts[-1].append(part)

    def comment(_: str) -> None:
        if stack:
            stack[-1].commented = True

    def refuse(*_: object) -> int:
        raise _unfit(M("The package declares a document type, which is dangerous and never needed."))

    reader.StartElementHandler = start
    reader.EndElementHandler = end
    reader.CharacterDataHandler = text
    reader.CommentHandler = comment
    reader.StartDoctypeDeclHandler = refuse
    reader.EntityDeclHandler = refuse
    reader.ExternalEntityRefHandler = refuse
    try:
        reader.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an unknown encoding
        raise _unfit(M("The package is not well-formed XML."), str(error)) from None
    return roots[0]


def _unfit(message: Message, detail: str = "") -> FieldkitError:
    return PackageUnfit(
        message,
        unchanged=M("Nothing of the package was used."),
        hint=M("Ask the sender for it again."),
        detail=detail,
    )
