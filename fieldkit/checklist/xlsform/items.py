"""The tree of a survey into the sections and items of a checklist, each part with the cell it came from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from fieldkit.checklist.errors import FormProblem
from fieldkit.checklist.kinds import KINDS, ROLES, YES_NO, Choice, Item, Kind, Steps
from fieldkit.checklist.load import Place
from fieldkit.checklist.model import Section
from fieldkit.checklist.xlsform.choices import ChoiceList, ListedChoice, list_in_file
from fieldkit.checklist.xlsform.columns import MEDIA, READ
from fieldkit.checklist.xlsform.parameters import CONSTANT, dynamic, parameters, search
from fieldkit.checklist.xlsform.table import Notes
from fieldkit.checklist.xlsform.tree import BESIDE, NAMED, NO, YES, Branch, Survey
from fieldkit.checklist.xlsform.workbook import SheetRow
from fieldkit.text import M, Message, Words

MOST_ITEMS = 10_000
OTHER = Choice("other", Words("Khác", "Other"))
SPECIFY = Words("Ghi rõ.", "Specify other.")
_SMART = str.maketrans("‘’“”", "''\"\"")  # Excel and Word put them in the place of straight quotes
_COLUMNS = {
    "id": "name",
    "label": "label",
    "hint": "hint",
    "guidance": "guidance_hint",
    "required": "required",
    "required_message": "required_message",
    "read_only": "read_only",
    "relevant": "relevant",
    "constraint": "constraint",
    "constraint_message": "constraint_message",
    "calculate": "calculation",
    "default": "default",
    "prefill": "default",
    "choice_filter": "choice_filter",
    "count": "repeat_count",
    "save_to": "save_to",
    "range": "parameters",
    "list": "type",
    "choices": "type",
    "accept": "fk::accept",
    "role": "fk::role",
    "procedure": "fk::procedure",
    "with": "fk::with",
}
"""By key of an item, the column that says it."""
_HARMLESS = (
    "required",
    "required_message",
    "constraint",
    "constraint_message",
    "read_only",
    "choice_filter",
    "count",
)
"""What has no effect on an item of a kind that does not take it, because nobody answers or chooses there."""
_TYPES: dict[str, Kind] = {"int": "integer", "integer": "integer", "decimal": "number", "date": "date",
                           "time": "time", "datetime": "datetime", "barcode": "barcode"}  # fmt: skip
_ALONE = re.compile(r"draw|annotate|printer|ex:\S+")
"""Appearances that are about another program or a picture that is drawn on."""


class _Turn(msgspec.Struct, frozen=True):
    """One turn of a loop: what its rows are called in it, and the choice it is about."""

    names: Mapping[str, str] = {}
    suffix: str = ""
    choice: Choice | None = None

    def filled(self, text: str, language: str = "vi") -> str:
        """A cell as it reads in this turn."""
        if self.choice is None:
            return text
        text = text.replace("%(name)s", self.choice.value)
        text = text.replace("%(label)s", getattr(self.choice.label, language))
        text = NAMED.sub(lambda match: f"${{{self.names.get(match[1], match[1])}}}", text)
        return BESIDE.sub(lambda match: self.names.get(match[0], match[0]), text)


class Items:
    """Makes the items. lists: those that are in no item itself. stand_ins: names whose row is a mistake."""

    def __init__(
        self,
        path: Path,
        survey: Survey,
        by_name: Mapping[str, ChoiceList],
        external: Mapping[str, ChoiceList],
        notes: Notes,
        places: dict[Place, FormProblem],
        default: str | None,
    ) -> None:
        self.lists: dict[str, tuple[Choice, ...]] = {}
        self.stand_ins = {branch.name for branch in survey.walk() if branch.stand_in}
        self._path = path
        self._survey = survey
        self._table = survey.table
        self._by_name = by_name
        self._external = external
        self._notes = notes
        self._places = places
        self._default = default
        self._files: dict[tuple[str, str, str], ChoiceList | Message] = {}
        self._ids: set[str] = set()
        self._twice: dict[str, FormProblem] = {}
        self._named = survey.lists_named()
        self._looked_at = survey.looked_at()
        self._asked = Counter(
            branch.question.list
            for branch in survey.walk()
            if branch.question.source == "choices" and branch.question.standing == "asked"
        )
        self._looped: set[str] = set()

    # --- sections

    def sections(self, title: Words) -> tuple[Section, ...]:
        """The sections, with all that is in them. title: of those that no group of the form is."""
        roots = self._survey.roots
        taken = {root.name for root in roots if root.question.kind == "group"}
        free = (name for number in range(1, 10**6) if (name := f"part_{number}") not in taken)
        made: list[Section] = []
        ids: set[str] = set()
        at = 0
        while at < len(roots):
            root, place = roots[at], ("sections", len(made))
            self._places[place] = self._table.place(root.row, "type")
            if root.question.kind == "group":
                made.append(self._section(root, place, ids))
                at += 1
                continue
            until = at + 1
            if root.question.kind != "repeat":
                while until < len(roots) and roots[until].question.kind not in ("group", "repeat"):
                    until += 1
            id = next(free)
            heading = title
            if root.question.kind == "repeat":
                heading = self._table.words(root.row, "label") or Words.same(root.name)
            made.append(Section(id, heading, self._items(roots[at:until], (*place, "items"), _Turn(), id)))
            at = until
        self._other_lists()
        self._references(made)
        return tuple(made)

    def _section(self, root: Branch, place: Place, ids: set[str]) -> Section:
        table, row = self._table, root.row
        kept = ("type", "name", "label", "relevant", "disabled", "fk::kind")
        for name, at in table.filled(row, [name for name in READ if name not in kept]):
            message = M("A section takes no `{column}`.", column=name)
            self._notes.leave(table.sheet.problem(row.number, at, message))
        id = root.name
        if id in ids:
            id = self._other_name(id, "", ids)
            self._called(root, id)
        ids.add(id)
        self._places[*place, "id"] = table.place(row, "name")
        self._places[*place, "title"] = table.place(row, "label")
        self._places[*place, "relevant"] = table.place(row, "relevant")
        label = table.words(row, "label") or Words.same(root.name)
        relevant = self._expression(row, "relevant", _Turn())
        return Section(id, label, self._below(root, (*place, "items"), _Turn(), id), relevant)

    def _items(self, branches: list[Branch], place: Place, turn: _Turn, around: str) -> tuple[Item, ...]:
        made: list[Item] = []
        for branch in branches:
            for item in self._made(branch, (*place, len(made)), turn, around):
                made.append(item)
                if len(self._ids) > MOST_ITEMS:
                    message = M("The form has more than {count} items.", count=MOST_ITEMS)
                    self._table.wrong(branch.row, "type", message)
                    return tuple(made)
        return tuple(made)

    def _below(self, branch: Branch, place: Place, turn: _Turn, around: str) -> tuple[Item, ...]:
        """What is in a group; of a loop, a group for each choice of its list."""
        if not branch.question.loop:
            return self._items(branch.below, place, turn, around)
        name = branch.question.list
        self._looped.add(name)
        of = self._by_name.get(name)
        if of is None:
            self._table.wrong(branch.row, "type", M("The sheet choices has no list `{list}`.", list=name))
            return ()
        made: list[Item] = []
        for choice in of.choices:
            if choice.value == "none":  # of a list for several choices, it stands for no turn
                continue
            suffix = turn.suffix + "_" + re.sub(r"[^A-Za-z0-9_.-]", "_", choice.value)
            names = {inner.name: inner.name + suffix for root in branch.below for inner in root.walk()}
            id = self._id(branch, around + "_" + suffix.lstrip("_"), around)
            here: Place = (*place, len(made))
            self._places[here] = self._table.place(branch.row, "type")
            inner_turn = _Turn({**turn.names, **names}, suffix, choice)
            items = self._items(branch.below, (*here, "items"), inner_turn, id)
            made.append(Item(id, "group", choice.label, items=items))
            if len(self._ids) > MOST_ITEMS:
                break
        return tuple(made)

    # --- names

    def _id(self, branch: Branch, name: str, around: str) -> str:
        id = name
        if id in self._ids:
            id = self._other_name(name, around, self._ids)
            self._called(branch, id)
        self._ids.add(id)
        return id

    def _other_name(self, name: str, around: str, taken: Any) -> str:
        names = [f"{around}_{name}"] if around else []
        return next(
            other
            for other in (*names, *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
            if other not in taken
        )

    def _called(self, branch: Branch, id: str) -> None:
        message = M("The name `{name}` is here twice: this one is called `{id}`.", name=branch.name, id=id)
        self._table.leave(branch.row, "name", message)
        self._twice.setdefault(branch.name, self._table.place(branch.row, "name"))

    def _references(self, sections: list[Section]) -> None:
        """Note what is looked at and was left out, or is there twice."""
        left = {name: place for name, place in self._survey.left.items() if name not in self._ids}
        if not left and not self._twice:
            return
        looked_at = self._looked_at | {
            match[1]
            for branch in self._survey.walk()
            for text in branch.row.cells.values()
            for match in NAMED.finditer(text)
        }
        for name in looked_at & left.keys():
            self.stand_ins.add(name)
            message = M("`{name}` is looked at, and what it would be is not known here.", name=name)
            self._notes.wrong(msgspec.structs.replace(left[name], message=message))
        for name in looked_at & self._twice.keys():
            message = M("Two are called `{name}`: ${{{name}}} may be either.", name=name)
            self._notes.wrong(msgspec.structs.replace(self._twice[name], message=message))

    # --- items

    def _made(self, branch: Branch, place: Place, turn: _Turn, around: str) -> Iterator[Item]:
        question, row, table = branch.question, branch.row, self._table
        id = self._id(branch, branch.name + turn.suffix, around)
        self._places[place] = self._places[*place, "kind"] = table.place(row, "type")
        for key, column in _COLUMNS.items():
            self._places[*place, key] = table.place(row, column)
        values: dict[str, Any] = {
            "id": id,
            "kind": question.kind,
            "label": self._words(row, "label", turn) or Words.same(branch.name),
            "hint": self._words(row, "hint", turn) or question.hint,
            "guidance": self._words(row, "guidance_hint", turn),
            "relevant": self._expression(row, "relevant", turn),
            "required": self._truth(row, "required", turn),
            "required_message": self._words(row, "required_message", turn),
            "read_only": self._truth(row, "read_only", turn),
            "constraint": self._expression(row, "constraint", turn),
            "constraint_message": self._words(row, "constraint_message", turn),
            "calculate": self._expression(row, "calculation", turn),
            "choice_filter": self._expression(row, "choice_filter", turn),
            "count": self._expression(row, "repeat_count", turn),
            "media": self._media(row),
            "appearance": turn.filled(table.word(row, "appearance")),
            "save_to": table.word(row, "save_to"),
            "metadata": question.metadata,
        }
        if table.word(row, "trigger"):
            message = M("A `trigger` is not known here: what is calculated is always up to date.")
            table.wrong(row, "trigger", message)
        if question.standing == "begin":
            for column, at in table.filled(row, ("default", "parameters", "bind::type")):
                message = M("A group takes no `{column}`.", column=column)
                self._notes.leave(table.sheet.problem(row.number, at, message))
            values["items"] = self._below(branch, (*place, "items"), turn, id)
            if not values["items"]:
                table.leave(row, "type", M("The group `{name}` holds nothing.", name=branch.name))
                return
        else:
            self._asked_as(branch, values, place, turn)
        self._own(row, values)
        if question.constraint:
            own = values["constraint"]
            values["constraint"] = f"({own}) and {question.constraint}" if own else question.constraint
        self._fitted(row, values)
        if question.other and values.get("choices"):
            yield from self._with_other(values, place)
        else:
            yield Item(**values)

    def _asked_as(self, branch: Branch, values: dict[str, Any], place: Place, turn: _Turn) -> None:
        """What a question is by its type, its look and its parameters."""
        question, row, table = branch.question, branch.row, self._table
        pairs = parameters(table.text(row, "parameters"))
        if pairs is None:
            table.wrong(row, "parameters", M("Parameters are written as `name=value`, with spaces between."))
            pairs = {}
        if question.drawn:
            kind = M("a file") if question.kind == "file" else M("a text of places")
            written = table.word(row, "type")
            message = M("`{type}` is drawn on a map elsewhere: here it is {kind}.", type=written, kind=kind)
            table.leave(row, "type", message)
            if question.kind == "file":
                values["accept"] = ("osm",)
        self._look(row, values)
        bound = table.word(row, "bind::type").lower()
        if bound and bound != "string":
            if question.kind == "text" and bound in _TYPES:
                values["kind"] = _TYPES[bound]
            elif values["kind"] != _TYPES.get(bound):
                table.leave(
                    row, "bind::type", M("The column `{column}` has no meaning here.", column="bind::type")
                )
        self._begins_with(branch, values, turn)
        if values["kind"] == "range":
            values["range"] = Steps(pairs.pop("start", "1"), pairs.pop("end", "10"), pairs.pop("step", "1"))
        if question.list:
            self._chosen(branch, values, place, pairs)
        for name in pairs:
            table.leave(row, "parameters", M("The parameter `{name}` has no meaning here.", name=name))

    def _look(self, row: SheetRow, values: dict[str, Any]) -> None:
        table = self._table
        if "search" in values["appearance"]:
            return
        words = values["appearance"].split()
        if values["kind"] == "text" and "multiline" in words:
            words.remove("multiline")
            values["multiline"] = True
        if values["kind"] == "image" and "signature" in words:
            words.remove("signature")
            values["kind"] = "signature"
        for word in words:
            if _ALONE.fullmatch(word):
                message = M("The appearance `{appearance}` has no meaning here.", appearance=word)
                table.leave(row, "appearance", message)
        values["appearance"] = " ".join(words)

    def _begins_with(self, branch: Branch, values: dict[str, Any], turn: _Turn) -> None:
        """The default, as a text or an expression, and what nobody answers though it has a value."""
        row, table = branch.row, self._table
        default = turn.filled(table.text(row, "default"))
        kind: Kind = values["kind"]
        if constant := CONSTANT.fullmatch(default.strip()):
            values["default"] = constant[1][1:-1]
        elif dynamic(default, kind):
            values["prefill"] = self._expression(row, "default", turn)
        else:
            values["default"] = default if kind == "text" else default.strip()
        if default and KINDS[kind].attaches:
            table.leave(row, "default", M("A file is no default here."))
            values |= {"default": "", "prefill": ""}
        if kind == "note" and (values["calculate"] or default or branch.name in self._looked_at):
            values |= {"kind": "text", "read_only": not values["calculate"] or values["read_only"]}
        if kind == "calculate" and not values["calculate"]:
            if prefill := values.pop("prefill", ""):
                values["calculate"] = f"once({prefill})"
            elif not default and table.word(row, "type").lower() == "hidden":
                values["calculate"] = "''"

    def _own(self, row: SheetRow, values: dict[str, Any]) -> None:
        """What is in fieldkit's own columns."""
        table = self._table
        if accept := table.word(row, "fk::accept"):
            values["accept"] = tuple(accept.split())
        if media := table.text(row, "fk::media"):
            values["media"] = tuple(media.split("\n"))
        role = table.word(row, "fk::role")
        if role and role not in ROLES:
            message = M("`{value}` is not one of: {known}.", value=role, known=", ".join(ROLES))
            table.wrong(row, "fk::role", message)
        values["role"] = role if role in ROLES else None
        own = table.word(row, "fk::kind")
        if own and values["kind"] != own and values["id"] not in self.stand_ins:
            message = M("`fk::kind` is {known}, on a question of type select_one.", known="yesno")
            table.wrong(row, "fk::kind", message)
        if procedure := table.word(row, "fk::procedure"):
            values["procedure"] = procedure
            if values["kind"] == "note":
                values["kind"] = "procedure"
        required = table.word(row, "fk::required")
        if values["kind"] == "procedure":
            if values["required"]:
                message = M("A procedure is required by `fk::required`; no other program could answer it.")
                table.wrong(row, "required", message)
            values["required"] = self._truth(row, "fk::required", _Turn())
        elif required:
            table.wrong(row, "fk::required", M("`fk::required` is for procedures."))
        if options := table.text(row, "fk::with"):
            try:
                values["options"] = msgspec.json.decode(options, type=dict[str, str | int | bool])
            except (msgspec.MsgspecError, RecursionError):
                message = M(
                    '`fk::with` is a JSON object of texts, numbers and true or false: {"key": "value"}.'
                )
                table.wrong(row, "fk::with", message)

    def _fitted(self, row: SheetRow, values: dict[str, Any]) -> None:
        """Leave out what has no effect on an item of its kind."""
        kind = values["kind"]
        for key in _HARMLESS:
            if values[key] and key not in KINDS[kind].takes:
                column = _COLUMNS[key]
                message = M("An item of kind `{kind}` takes no `{key}`.", kind=kind, key=column)
                self._table.leave(row, column, message)
                values[key] = (
                    None if key.endswith("message") else False if key in ("required", "read_only") else ""
                )
        if values["constraint_message"] and not values["constraint"]:
            message = M("`constraint_message` needs a `constraint`.")
            self._table.leave(row, "constraint_message", message)
            values["constraint_message"] = None

    def _with_other(self, values: dict[str, Any], place: Place) -> Iterator[Item]:
        id = values["id"]
        other_place: Place = (*place[:-1], int(place[-1]) + 1)
        for key in ((), ("id",), ("kind",)):
            self._places[*other_place, *key] = self._places[place]
        yield Item(**values)
        self._ids.add(f"{id}_other")
        yield Item(f"{id}_other", "text", SPECIFY, relevant=f"selected(${{{id}}}, 'other')")

    # --- choices

    def _chosen(self, branch: Branch, values: dict[str, Any], place: Place, pairs: dict[str, str]) -> None:
        question, row, table = branch.question, branch.row, self._table
        values["kind"] = question.kind
        randomized = [name for name in ("randomize", "seed") if name in pairs]
        for name in randomized:
            table.leave(row, "parameters", M("The parameter `{name}` has no meaning here.", name=name))
            del pairs[name]
        try:
            searched, values["appearance"] = search(values["appearance"])
        except ValueError:
            table.wrong(row, "appearance", M("This search() is not known here."))
            self._stand_in(branch, values)
            return
        if searched is not None:
            self._places[*place, "choice_filter"] = table.place(row, "appearance")
            self._searched(branch, values, searched.file, searched.choice_filter)
            return
        if question.source == "file":
            value, label = pairs.pop("value", "name"), pairs.pop("label", "label")
            of = self._file(question.list, value, label, table.place(row, "type"))
        elif question.source == "external":
            of = self._external.get(question.list)
            if of is None:
                message = M("The sheet external_choices has no list `{list}`.", list=question.list)
                table.wrong(row, "type", message)
        else:
            of = self._by_name.get(question.list)
            if "${" in question.list:
                table.wrong(row, "type", M("Choices that are answers of a repeat are not known here."))
            elif of is None:
                message = M("The sheet choices has no list `{list}`.", list=question.list)
                table.wrong(row, "type", message)
        if of is None:
            self._stand_in(branch, values)
            return
        if table.word(row, "fk::kind") == "yesno":
            self._yes_no(branch, values, of)
        else:
            self._put_choices(branch, values, of, place)

    def _put_choices(self, branch: Branch, values: dict[str, Any], of: ChoiceList, place: Place) -> None:
        question = branch.question
        name = question.list
        shared = of.shared
        if shared is None:
            shared = (
                question.source != "choices" or self._asked[name] > 1 or of.has_columns or name in self._named
            )
        if question.other:
            shared = False
        if shared:
            key = re.sub(r"\.csv$", "", name, flags=re.I) if question.source == "file" else name
            values["list"] = self._listed(key, of)
            self._places.setdefault(("lists", values["list"]), self._places[place])
            return
        rows = of.rows
        if question.other and all(row.choice.value != OTHER.value for row in rows):
            rows = [*rows, ListedChoice(OTHER, self._places[place], self._places[place])]
        values["choices"] = tuple(row.choice for row in rows)
        for c, row in enumerate(rows):
            self._places[*place, "choices", c, "value"] = row.value
            self._places[*place, "choices", c, "label"] = row.label

    def _listed(self, name: str, of: ChoiceList) -> str:
        """The name under which a list is the checklist's."""
        choices = of.choices
        while self.lists.get(name, choices) != choices:
            name += "_"
        if name not in self.lists:
            self.lists[name] = choices
            for c, row in enumerate(of.rows):
                self._places["lists", name, c, "value"] = row.value
                self._places["lists", name, c, "label"] = row.label
        return name

    def _file(self, name: str, value: str, label: str, at: FormProblem) -> ChoiceList | None:
        key = (name, value, label)
        if key not in self._files:
            read = list_in_file(self._path, name, value, label, self._default)
            if isinstance(read, list):
                for problem in read:
                    self._notes.wrong(problem)
                read = ChoiceList([])
            self._files[key] = read
        of = self._files[key]
        if isinstance(of, ChoiceList):
            return of
        self._notes.wrong(msgspec.structs.replace(at, message=of))
        return None

    def _searched(self, branch: Branch, values: dict[str, Any], file: str, choice_filter: str) -> None:
        """search(): the list of the type says which columns of the file are value and label."""
        table, row = self._table, branch.row
        of = self._by_name.get(branch.question.list)
        self._looped.add(branch.question.list)
        if of is None or len(of.rows) != 1:
            table.wrong(row, "type", M("The list of a search() has one row, with the columns of the file."))
            self._stand_in(branch, values)
            return
        (named,) = of.choices
        read = self._file(
            file if file.lower().endswith(".csv") else f"{file}.csv",
            named.value,
            named.label.vi,
            table.place(row, "appearance"),
        )
        if read is None:
            self._stand_in(branch, values)
        else:
            values["list"] = self._listed(re.sub(r"\.csv$", "", file, flags=re.I), read)
            values["choice_filter"] = choice_filter

    def _stand_in(self, branch: Branch, values: dict[str, Any]) -> None:
        """Go on with a text in the place of what is a mistake, which was noted."""
        self.stand_ins |= {branch.name, values["id"]}
        values |= {"kind": "text", "choice_filter": "", "default": "", "prefill": ""}

    def _yes_no(self, branch: Branch, values: dict[str, Any], of: ChoiceList) -> None:
        if values["kind"] == "choice" and of.choices == YES_NO:
            values["kind"] = "yesno"
            return
        known = ", ".join(f"{choice.value} ({choice.label.vi}, {choice.label.en})" for choice in YES_NO)
        message = M("A list for `fk::kind` yesno has just these values and words: {known}.", known=known)
        self._table.wrong(branch.row, "type", message)
        self._stand_in(branch, values)

    def _other_lists(self) -> None:
        """The lists that expressions look into, those that say they are shared, and what is asked nowhere."""
        for name, at in self._named.items():
            of = self._by_name.get(name) or self._external.get(name)
            if of is None:
                file = name if name.lower().endswith(".csv") else f"{name}.csv"
                of = self._file(file, "name", "label", at)
            if of is not None:
                self._listed(name, of)
        for name, at in self._survey.files.items():
            if name not in self._named:
                self._notes.leave(
                    msgspec.structs.replace(at, message=M("The list `{list}` is asked nowhere.", list=name))
                )
        for name, of in self._by_name.items():
            if of.shared:
                self._listed(name, of)
            elif not self._asked[name] and name not in self._named and name not in self._looped and of.rows:
                message = M("The list `{list}` is asked nowhere.", list=name)
                self._notes.leave(msgspec.structs.replace(of.rows[0].value, message=message))

    # --- cells

    def _expression(self, row: SheetRow, name: str, turn: _Turn) -> str:
        return turn.filled(self._table.text(row, name).translate(_SMART))

    def _truth(self, row: SheetRow, name: str, turn: _Turn) -> bool | str:
        written = self._table.word(row, name)
        if written.lower() in YES:
            return True
        if not written or written.lower() in NO:
            return False
        return self._expression(row, name, turn)

    def _words(self, row: SheetRow, name: str, turn: _Turn) -> Words | None:
        words = self._table.words(row, name)
        return words if words is None else Words(turn.filled(words.vi, "vi"), turn.filled(words.en, "en"))

    def _media(self, row: SheetRow) -> tuple[str, ...]:
        names = (text for column in MEDIA for text in self._table.all(row, column))
        return tuple(dict.fromkeys(names))
