"""A checklist as the YAML text that a person goes on with; reading it gives the same checklist."""

from __future__ import annotations

from typing import Any

import msgspec

from fieldkit.checklist.model import Checklist


def yaml_text(checklist: Checklist) -> str:
    """The text of `checklist`, its sections last."""
    import yaml

    shape = msgspec.to_builtins(checklist)
    shape["sections"] = shape.pop("sections")
    return str(yaml.dump(_plain(shape), Dumper=_dumper(), allow_unicode=True, sort_keys=False, width=100))


def _plain(shape: Any) -> Any:
    """The same without what stands for nothing: no hint, no title of a paper form."""
    if isinstance(shape, dict):
        return {key: _plain(value) for key, value in shape.items() if value is not None}
    if isinstance(shape, list | tuple):
        return [_plain(each) for each in shape]
    return shape


def _dumper() -> Any:
    import yaml

    class Written(yaml.SafeDumper):
        """Lists are indented under their key, and nothing is written by reference."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            return True

    return Written
