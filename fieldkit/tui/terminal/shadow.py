"""What the terminal shows, cell by cell, so that only what differs is sent. It knows no terminal itself."""

from __future__ import annotations

import re
from functools import lru_cache

from rich.cells import get_character_cell_size

from fieldkit.text import UNSEEN

Place = tuple[int, int]
Cell = tuple[str, str]

BEGIN_SYNC = "\x1b[?2026h"
END_SYNC = "\x1b[?2026l"
REACH = 6  # repeating this many unchanged cells is cheaper than moving the cursor over them
TOKEN = re.compile(
    r"\x1b\[(?P<row>\d+);(?P<column>\d+)H"
    r"|\x1b\[(?P<style>[\d;:]*)m"
    r"|(?P<newline>\r?\n)"
    r"|(?P<other>\x1b(?:\[[0-9:;<=>?]*[ -/]*[@-~]"
    r"|[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|[ -/]*[0-~])|[\x00-\x1f\x7f])"
    r"|(?P<text>[^\x00-\x1f\x7f]+)"
)
# What Textual itself sends: modes and questions about them, the keyboard's protocol, clearing, the bell.
OURS = re.compile(r"\x1b\[(?:\?[\d;]+(?:\$p|[hl])|[<>=?]?\d*u|\d*J)|\x1bc|\x07")
UNKNOWN: Cell = ("\x00", "")


class Shadow:
    """Turns a stream that paints regions into one that paints differences.

    Text, styles, newlines and cursor addresses are held against what was sent before; of other sequences
    those of Textual's own pass through, in their place, and none that a text could have brought. What it
    does not know it takes for different.
    """

    def __init__(self) -> None:
        self._shown: dict[Place, Cell] = {}
        self._wanted: dict[Place, Cell] = {}
        self._row = self._column = 1
        self._style = ""
        self._cursor: Place | None = None
        self._held = ""

    def forget(self) -> None:
        """The terminal may show anything now: what comes next is sent whole."""
        self._shown.clear()
        self._cursor = None

    def write(self, data: str) -> str:
        """What to send so that the terminal shows what `data` would have made it show."""
        out: list[str] = []
        addressed = False
        for token in TOKEN.finditer(data):
            kind = token.lastgroup
            if kind == "text":
                self._text(token["text"])
                addressed = False
            elif kind == "style":
                self._style = _style(self._style, token["style"])
            elif kind == "column":
                self._row, self._column = int(token["row"]), int(token["column"])
                addressed = True
            elif kind == "newline":
                self._row, self._column = self._row + 1, 1
                addressed = False
            else:
                out.append(self._difference())
                out.append(self._pass(token["other"]))
        out.append(self._difference())
        if addressed and (self._row, self._column) != self._cursor:
            # Where Textual leaves the cursor an input method opens its window, and a screen reader reads.
            out.append(f"\x1b[{self._row};{self._column}H")
            self._cursor = (self._row, self._column)
        sent = "".join(out)
        if sent and self._held:
            sent, self._held = self._held + sent, ""
        return sent

    def _text(self, text: str) -> None:
        row, column, style, wanted = self._row, self._column, self._style, self._wanted
        for character in UNSEEN.sub("", text):
            width = 1 if character < "\u0300" else get_character_cell_size(character)
            if width == 0:  # joins the cell before it
                place = (row, column - 1)
                before = wanted.get(place) or self._shown.get(place)
                if before and before[0] == "":
                    place = (row, column - 2)
                    before = wanted.get(place) or self._shown.get(place)
                if before:
                    wanted[place] = (before[0] + character, before[1])
                continue
            wanted[row, column] = (character, style)
            if width == 2:
                wanted[row, column + 1] = ("", style)
            column += width
        self._column = column

    def _pass(self, sequence: str) -> str:
        if not OURS.fullmatch(sequence):
            return ""
        if sequence == BEGIN_SYNC:  # held back: a frame without differences is not sent at all
            self._held = sequence
            return ""
        if sequence == END_SYNC and self._held:
            self._held = ""
            return ""
        if sequence != END_SYNC:
            self._cursor = None
        if "1049" in sequence or sequence == "\x1bc" or sequence.endswith("J"):
            self.forget()
        return sequence

    def _difference(self) -> str:
        wanted, shown = self._wanted, self._shown
        places = sorted(place for place, cell in wanted.items() if shown.get(place) != cell)
        if not places:
            wanted.clear()
            return ""
        out: list[str] = []
        row = column = -1
        style = ""
        if any(cell[0] == "" for cell in wanted.values()) or any(
            shown.get(place, UNKNOWN)[0] == "" for place in places
        ):
            places = self._whole_characters(places)
        for place in places:
            character, wanted_style = wanted.get(place) or shown[place]
            if not character:
                continue  # the right half of a wide one, drawn with its left half
            if place != (row, column):
                out.append(self._bridge(row, column, place, style))
            if wanted_style != style:
                # A style is sent whole, from a reset, unless there is none to take back.
                reset = "0;" if style and wanted_style else ""
                out.append(f"\x1b[{reset}{wanted_style}m")
                style = wanted_style
            out.append(character)
            wide = character >= "\u0300" and get_character_cell_size(character[0]) == 2
            row, column = place[0], place[1] + (2 if wide else 1)
        if style:
            out.append("\x1b[0m")
        shown.update(wanted)
        wanted.clear()
        self._cursor = None
        return "".join(out)

    def _bridge(self, row: int, column: int, place: Place, style: str) -> str:
        """From (row, column) to `place`: over a few unchanged cells by repeating them."""
        if place[0] == row and column < place[1]:
            gap = place[1] - column
            if gap <= REACH:
                between = [self._shown.get((row, at)) for at in range(column, place[1])]
                if all(cell and cell[1] == style and cell[0] for cell in between):
                    return "".join(cell[0] for cell in between if cell)
            return f"\x1b[{place[1]}G"
        return f"\x1b[{place[0]};{place[1]}H"

    def _whole_characters(self, places: list[Place]) -> list[Place]:
        """`places`, and with each half of a wide character its other half, old and new."""
        wanted, shown = self._wanted, self._shown
        chosen = set(places)
        for row, column in places:
            for cells in (wanted, shown):
                here = cells.get((row, column))
                if here and here[0] == "":
                    chosen.add((row, column - 1))
                elif (cells.get((row, column + 1)) or UNKNOWN)[0] == "":
                    chosen.add((row, column + 1))
        return sorted(place for place in chosen if place in wanted or place in shown)


@lru_cache(maxsize=1024)
def _style(before: str, codes: str) -> str:
    """The style in force after `codes`; "" is the terminal's plain one."""
    if codes in ("", "0"):
        return ""
    if codes.startswith("0;"):
        return codes[2:]
    return f"{before};{codes}" if before else codes
