"""Full-screen dialogs: each asks one thing and gives one typed value, None when the person breaks off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Generic, TypeVar

from textual.widget import Widget

from fieldkit.errors import FieldkitError
from fieldkit.operator import Plan, Question, SecretRequest, said
from fieldkit.secret import Secret
from fieldkit.text import M, Said, nfc
from fieldkit.tui.actions import Scope, bindings
from fieldkit.tui.screens.frame import FieldkitScreen
from fieldkit.tui.terminal.signs import sign
from fieldkit.tui.widgets.list_box import ListBox, ListRow
from fieldkit.tui.widgets.path_field import PathField
from fieldkit.tui.widgets.text_field import TextField
from fieldkit.tui.widgets.text_view import Paragraph, TextView

T = TypeVar("T")

YES, NO = "yes", "no"


class Dialog(FieldkitScreen[T], Generic[T]):
    """A question in the frame: a text to read, and below it what answers it."""

    DEFAULT_CSS = """
    Dialog #body { padding: 1 2 0 2; }
    Dialog #text { height: auto; max-height: 75%; }
    Dialog ListBox { height: auto; max-height: 75%; margin: 1 0 0 0; }
    Dialog TextField { margin: 0 0 1 0; }
    Dialog .label { height: auto; margin: 1 0 0 0; }
    Dialog #complaint { height: auto; }
    """
    BINDINGS = bindings("read", "screen")
    AUTO_FOCUS: ClassVar[str | None] = "TextField, ListBox"

    def action_next_field(self) -> None:
        self.focus_next(TextField)

    def action_previous_field(self) -> None:
        self.focus_previous(TextField)

    def complain(self, text: Said | str) -> None:
        """Say what is wrong with what was entered."""
        self.query_one("#complaint", TextView).show([Paragraph(text, "strong", sign("fail"))] if text else [])


class TextDialog(Dialog[None]):
    """Something to read and leave again."""

    DEFAULT_CSS = "TextDialog #text { height: 1fr; max-height: 100%; }"
    scopes: ClassVar[tuple[Scope, ...]] = ("read", "screen")

    def body(self) -> Iterator[Widget]:
        yield TextView(id="text")

    def text(self) -> list[Paragraph]:
        """What there is to read."""
        return []

    def filled(self) -> None:
        self.text_view.show(self.text())


class ErrorScreen(TextDialog):
    """Says an error; Enter or Esc goes back to where it happened."""

    BINDINGS = bindings("tell")
    scopes: ClassVar[tuple[Scope, ...]] = ("tell", "read", "screen")

    def __init__(self, error: FieldkitError, title: Said | None = None) -> None:
        super().__init__()
        self._error = error
        self._title = title

    def heading(self) -> tuple[Said | str, Said | str]:
        return self._title or M("That did not work"), self._error.code

    def text(self) -> list[Paragraph]:
        error = self._error
        text = [
            Paragraph(M("What happened"), "strong", sign("fail")),
            Paragraph(error.message, indent=2),
            Paragraph(""),
            Paragraph(M("What was not changed"), "strong"),
            Paragraph(error.unchanged or M("Everything saved before is safe."), indent=2),
            Paragraph(""),
            Paragraph(M("What to do next"), "strong"),
            Paragraph(error.hint or M("Go back with Esc and try again."), indent=2),
        ]
        if error.detail:
            text += [Paragraph(""), Paragraph(M("For whoever helps"), "strong")]
            text += [Paragraph(line, "faint", indent=2) for line in error.detail.splitlines()]
        return text

    def action_close(self) -> None:
        self.dismiss(None)


class ConsentDialog(Dialog[bool]):
    """Shows a plan with its exact commands. Only a chosen "yes", or the word typed, agrees."""

    BINDINGS = bindings("consent")
    scopes: ClassVar[tuple[Scope, ...]] = ("consent", "read", "screen")

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self._plan = plan

    def heading(self) -> tuple[Said | str, Said | str]:
        return self._plan.title, M("your consent is needed")

    def body(self) -> Iterator[Widget]:
        yield TextView(id="text")
        yield TextView(id="complaint")
        if self._plan.confirm:
            yield TextField(id="answer")
        else:
            yield ListBox(id="answer", paging=False)

    def filled(self) -> None:
        plan = self._plan
        text = [Paragraph(said(step), sign=f"{number}.") for number, step in enumerate(plan.steps, 1)]
        if plan.commands:
            text += [Paragraph(""), Paragraph(M("What will run, exactly so:"), "strong")]
            text += [Paragraph(command, "code", "$", 2) for command in plan.commands]
        if plan.keeps:
            text += [Paragraph(""), Paragraph(plan.keeps)]
        if plan.confirm:
            warning = M("This cannot be undone. Type {word} to agree; Esc refuses.", word=plan.confirm)
            text += [Paragraph(""), Paragraph(warning, "strong", sign("warning"))]
        self.text_view.show(text)
        if not plan.confirm:
            rows = [ListRow(NO, M("No, change nothing")), ListRow(YES, M("Yes, do it"))]
            self.query_one("#answer", ListBox).show(rows)

    def action_decide(self) -> None:
        answer = self.query_one("#answer")
        if isinstance(answer, ListBox):
            self.dismiss(answer.key == YES)
        elif isinstance(answer, TextField):
            if answer.value.strip() == self._plan.confirm:
                self.dismiss(True)
            else:
                self.complain(M("That is not the word {word}. Nothing was done.", word=self._plan.confirm))

    def action_back(self) -> None:
        self.dismiss(False)


class SecretDialog(Dialog[Secret]):
    """Asks for a PIN or password, masked; a new one twice, and checked before it is taken."""

    BINDINGS = bindings("ask")
    scopes: ClassVar[tuple[Scope, ...]] = ("ask", "screen")

    def __init__(self, request: SecretRequest) -> None:
        super().__init__()
        self._request = request

    def heading(self) -> tuple[Said | str, Said | str]:
        return self._request.title, M("it is shown to nobody and stored nowhere")

    def body(self) -> Iterator[Widget]:
        yield TextView(id="text")
        yield TextView(id="complaint")
        yield TextView(id="label-first")
        yield TextField(masked=True, id="first")
        if self._request.new:
            yield TextView(id="label-again")
            yield TextField(masked=True, id="again")

    def filled(self) -> None:
        warning = self._request.warning
        self.text_view.show([Paragraph(warning, "", sign("warning"))] if warning else [])
        self._label("first", self._request.title)
        if self._request.new:
            self._label("again", M("Once more, so that a slip of the finger is noticed:"))

    def _label(self, name: str, text: Said) -> None:
        label = self.query_one(f"#label-{name}", TextView)
        label.add_class("label")
        label.show([Paragraph(text)])

    def action_submit(self) -> None:
        first = self.query_one("#first", TextField)
        if self._request.new and self.focused is first:
            self.set_focus(self.query_one("#again", TextField))
            return
        secret = Secret(first.value)
        complaint = self._complaint(secret)
        if complaint is None:
            self._empty()
            self.dismiss(secret)
            return
        secret.wipe()
        self._empty()
        self.complain(complaint)
        self.set_focus(first)

    def _complaint(self, secret: Secret) -> Said | None:
        if not secret:
            return M("Nothing was entered.")
        request = self._request
        wrong = request.check(secret) if request.check else None
        if wrong is None and request.new and self.query_one("#again", TextField).value != secret.reveal():
            return M("The two entries differ. Enter both again.")
        return wrong

    def _empty(self) -> None:
        for field in self.query(TextField):
            field.clear()

    def action_back(self) -> None:
        self._empty()
        self.dismiss(None)


class QuestionDialog(Dialog[str]):
    """Asks for one of several, for a line of text, or for a path."""

    BINDINGS = bindings("ask")
    scopes: ClassVar[tuple[Scope, ...]] = ("ask", "screen")

    def __init__(self, question: Question) -> None:
        super().__init__()
        self._question = question

    def heading(self) -> tuple[Said | str, Said | str]:
        return self._question.title, ""

    def body(self) -> Iterator[Widget]:
        yield TextView(id="text")
        yield TextView(id="complaint")
        if self._question.options:
            yield ListBox(id="answer", wrap=True)
        elif self._question.path:
            yield PathField(self._question.default, id="answer")
        else:
            yield TextField(self._question.default, id="answer")

    def filled(self) -> None:
        text = [Paragraph(self._question.title, "strong")]
        if self._question.path:
            text.append(Paragraph(M("Tab completes a path."), "faint"))
        self.text_view.show(text)
        if self._question.options:
            rows = [
                ListRow(option.value, option.label, word=option.detail) for option in self._question.options
            ]
            box = self.query_one("#answer", ListBox)
            box.show(rows, at=box.key or self._question.default)

    def on_text_field_changed(self, event: TextField.Changed) -> None:
        if isinstance(event.field, PathField):
            self.complain("")
            shown = [Paragraph("   ".join(event.field.candidates), "faint")] if event.field.candidates else []
            self.text_view.show([Paragraph(self._question.title, "strong"), *shown])

    def action_submit(self) -> None:
        answer = self.query_one("#answer")
        value = answer.key if isinstance(answer, ListBox) else ""
        if isinstance(answer, TextField):
            value = nfc(answer.value.strip())
        check = self._question.check
        complaint = check(value) if value and check else None
        if value and complaint is None:
            self.dismiss(value)
        else:
            self.complain(complaint or M("Nothing was entered."))


class PickDialog(Dialog[str]):
    """One of many, with a text about what is being chosen; gives the row's key."""

    DEFAULT_CSS = """
    PickDialog #text { height: auto; max-height: 5; }
    PickDialog #pick { height: 1fr; margin: 1 0 0 0; }
    """
    BINDINGS = bindings("pick")
    scopes: ClassVar[tuple[Scope, ...]] = ("pick", "screen")

    def __init__(self, title: Said, text: Said, rows: Sequence[ListRow], at: str = "") -> None:
        super().__init__()
        self._title, self._text, self._rows, self._first = title, text, rows, at

    def heading(self) -> tuple[Said | str, Said | str]:
        return self._title, ""

    def body(self) -> Iterator[Widget]:
        yield TextView(id="text")
        yield ListBox(id="pick", search=True)

    def filled(self) -> None:
        self.text_view.show([Paragraph(self._text)])
        box = self.query_one("#pick", ListBox)
        box.show(self._rows, at=box.key or self._first)

    def action_choose(self) -> None:
        key = self.query_one("#pick", ListBox).key
        if key:
            self.dismiss(key)
