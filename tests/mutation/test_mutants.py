"""What counts as a change to a module, and that the table speaks of what there is."""

from __future__ import annotations

import tomllib
from pathlib import Path

from tests.mutation.mutants import mutants

TABLE = tomllib.loads(Path(__file__).with_name("table.toml").read_text())
ROOT = Path(__file__).parent.parent.parent

CODE = '''
LARGEST = 10


def check(size: int, kind: str) -> int:
    """Words."""
    if size > LARGEST or kind != "bundle":
        raise Damaged(M("It is too large."), hint=M("Put it again."))
    return size
'''


def changes() -> set[str]:
    return {mutant.now for mutant in mutants(CODE)}


def test_a_check_is_taken_away_whole_and_by_its_parts() -> None:
    assert {
        "pass",
        "if False:",
        "if size > LARGEST:",
        'if kind != "bundle":',
        'if size > LARGEST and kind != "bundle":',
        'if size >= LARGEST or kind != "bundle":',
        'if size > LARGEST or kind != "XXbundle":',
    } <= changes()


def test_words_types_and_what_stands_outside_functions_stay_as_they_are() -> None:
    assert not [now for now in changes() if "M(" not in now and "Damaged" in now]
    assert all("LARGEST = 10" in mutant.source and "check(size: int, kind: str)" in mutant.source
               for mutant in mutants(CODE))  # fmt: skip


def test_each_change_is_made_once_and_can_be_read_as_code() -> None:
    sources = [mutant.source for mutant in mutants(CODE)]
    assert len(sources) == len(set(sources))
    for source in sources:
        compile(source, "mutant", "exec")


def test_the_table_names_modules_and_tests_that_exist() -> None:
    for module, tests in TABLE["tests"].items():
        assert (ROOT / "fieldkit" / f"{module}.py").is_file()
        for file, _, name in (test.partition("::") for test in tests):
            assert (ROOT / file).exists()
            assert not name or f"def {name}(" in (ROOT / file).read_text()
    assert {change["module"] for change in TABLE.get("equivalent", ())} <= TABLE["tests"].keys()
