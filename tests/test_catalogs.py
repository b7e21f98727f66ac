"""Every language is complete, and says the same parameters."""

from __future__ import annotations

import ast
import string

import pytest
from babel.messages.pofile import read_po

from fieldkit import i18n
from fieldkit.locale import refresh
from tests.conftest import REPOSITORY


def _catalog(language: str) -> dict[str, str]:
    with refresh.catalog(language).open("rb") as file:
        return {str(entry.id): str(entry.string) for entry in read_po(file, locale=language) if entry.id}


def test_every_language_but_that_of_the_messages_has_a_catalog() -> None:
    assert {*refresh.languages(), i18n.SOURCE} == set(i18n.LANGUAGES)
    assert i18n.SOURCE not in refresh.languages()


def _parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", refresh.languages())
def test_every_message_in_the_code_is_translated(language: str) -> None:
    known = _catalog(language)
    missing = [text for text in refresh.messages() if not known.get(text)]
    assert not missing, f"{language} lacks {len(missing)}: {missing[:10]}"


@pytest.mark.parametrize("language", refresh.languages())
def test_no_translation_is_left_of_a_message_that_is_gone(language: str) -> None:
    assert set(_catalog(language)) <= set(refresh.messages())


@pytest.mark.parametrize("language", refresh.languages())
def test_a_translation_has_the_parameters_of_its_message(language: str) -> None:
    wrong = {
        text: translation
        for text, translation in _catalog(language).items()
        if _parameters(text) != _parameters(translation)
    }
    assert not wrong


def test_vietnamese_is_composed() -> None:
    from fieldkit.text import nfc

    assert all(text == nfc(text) for text in _catalog("vi").values())


def test_no_message_stands_inside_an_f_string_where_not_every_python_finds_it() -> None:
    for path in (REPOSITORY / "fieldkit").rglob("*.py"):
        for formatted in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(formatted, ast.JoinedStr):
                inside = [node.func for node in ast.walk(formatted) if isinstance(node, ast.Call)]
                assert not [
                    call for call in inside if isinstance(call, ast.Name) and call.id in ("M", "Message")
                ], f"{path}:{formatted.lineno}"
