"""Draw Figure 1, the nine questions and the verbs that answer them, as docs/images/questions.svg.

`python scripts/reference.py` writes it. It brings its own ground and its own colours for light and dark, so it can be
read on any page, and says in words what it shows to whoever can not see it.
"""

from __future__ import annotations

import textwrap
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, MARGIN, GAP = 1200, 30, 24
CARD = (WIDTH - 2 * MARGIN - 2 * GAP) // 3, 184
BAND = 92


class Question(NamedTuple):
    """One card."""

    asked: str
    verbs: tuple[str, ...]
    promise: str


#: From what makes an environment to what takes it away; the verbs of the upper band.
LIFE = (
    (("create",), "built in a place with room"),
    ((), "its kernel is started once, and must answer"),
    (("list", "show"), "on the launcher, in shells and in jobs"),
    (("delete", "restore"), "to the trash, and back"),
)

ROWS = (
    (
        "What is in it?",
        (
            Question(
                "What is in it, and how is that changed?",
                ("packages", "search", "install", "update", "remove"),
                "One change at a time: the kernel answers afterwards, or all is put back.",
            ),
            Question(
                "How do I make it again from a file?",
                ("create",),
                "Requirements, projects, environment.yml; a lockfile gives exactly what it lists.",
            ),
            Question(
                "How do I write it down?",
                ("export",),
                "As what was asked for, as exact versions with digests, or as a capsule for another cluster.",
            ),
        ),
    ),
    (
        "For whom, and where?",
        (
            Question(
                "May I have one like it?",
                ("clone",),
                "Exactly its packages under another name, in another place, or on another Python.",
            ),
            Question(
                "How do my colleagues use it?",
                ("share", "use", "unshare", "adopt"),
                "One builds it, all run it, only its owner can change it. Nobody pays for a copy.",
            ),
            Question(
                "How large is it, and where should it lie?",
                ("sizes", "locations", "move", "rebuild"),
                "Quotas are known before the build; what was purged comes back with the same packages.",
            ),
        ),
    ),
    (
        "Is all well?",
        (
            Question(
                "What else fills my quota?",
                ("caches", "trash"),
                "What uv, pip and conda keep; cleaning shows what would go, and breaks no environment.",
            ),
            Question(
                "What is wrong with it?",
                ("check", "repair"),
                "Each finding says what it breaks and what to do; what can be mended is, when you say so.",
            ),
            Question(
                "Can I have back what was there?",
                ("undo", "history"),
                "Who did what, and when; a change of packages and a deletion can be taken back.",
            ),
        ),
    ),
)

DOORS = ("panel in JupyterLab", "command line", "notebook", "REST")

STYLE = """
    .ground { fill: #ffffff } .card { fill: #f5f7fa; stroke: #c5cdd6 } .band { fill: #e8f1fb; stroke: #a9c8e8 }
    .text { fill: #1d2329 } .soft { fill: #4d5866 } .verb { fill: #0a5bb0 } .number { fill: #ffffff }
    .dot { fill: #0a5bb0 }
    .line { stroke: #5a6878; fill: none; stroke-width: 1.5 } .head { fill: #5a6878 }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #14181d } .card { fill: #1e242b; stroke: #3b4652 } .band { fill: #16283b; stroke: #2f5276 }
      .text { fill: #e8edf2 } .soft { fill: #a9b5c2 } .verb { fill: #7dbbff } .number { fill: #14181d }
      .dot { fill: #7dbbff }
      .line { stroke: #8a98a8 } .head { fill: #8a98a8 }
    }
    text { font-family: "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; font-size: 15px }
    .asked { font-weight: bold; font-size: 17px } .row { font-size: 15px; letter-spacing: 0.04em }
    .verb { font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 14.5px }
    .number { font-weight: bold }
"""


def verbs() -> list[str]:
    """Return every verb that the figure names."""
    cards = [verb for _, row in ROWS for question in row for verb in question.verbs]
    return [verb for names, _ in LIFE for verb in names] + cards


def drawing() -> str:
    """Return the whole picture as SVG."""
    parts, below = life(MARGIN)
    number = 1
    for title, row in ROWS:
        parts.append(text(MARGIN, below + 20, title, "soft row"))
        below += 32
        for column, question in enumerate(row):
            parts += card(MARGIN + column * (CARD[0] + GAP), below, number, question)
            number += 1
        below += CARD[1] + 16
    more, below = doors(below + 6)
    height = below + MARGIN
    said = ". ".join(f"{n}: {q.asked} {', '.join(q.verbs)}" for n, q in enumerate(asked(), 1))
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-labelledby="what how">',
        '  <title id="what">Nine questions that people ask of an environment, and the verbs that answer them</title>',
        f'  <desc id="how">{escape(said)}. Behind panel, command line, notebook and REST are the same '
        "operations.</desc>",
        f"  <style>{STYLE}  </style>",
        f'  <rect class="ground" width="{WIDTH}" height="{height}" rx="10"/>',
    ]
    return "\n".join([*head, *(f"  {part}" for part in [*parts, *more]), "</svg>"]) + "\n"


def asked() -> list[Question]:
    """Return the nine questions in their order."""
    return [question for _, row in ROWS for question in row]


def life(top: int) -> tuple[list[str], int]:
    """Draw the upper band, the life of an environment, and return where it ends."""
    width = (WIDTH - 2 * MARGIN - 3 * 2 * GAP) // 4
    parts = []
    for place, (names, promise) in enumerate(LIFE):
        left = MARGIN + place * (width + 2 * GAP)
        parts.append(box(left, top, width, BAND, "band"))
        parts.append(text(left + 14, top + 29, *((" · ".join(names), "verb") if names else ("proof", "text"))))
        for number, line in enumerate(textwrap.wrap(promise, 26)):
            parts.append(text(left + 14, top + 53 + 20 * number, line, "soft"))
        if place:
            parts += arrow(left - 2 * GAP + 5, top + BAND // 2, left - 5)
    return parts, top + BAND + 14


def card(left: int, top: int, number: int, question: Question) -> list[str]:
    """Draw a question with its verbs and what they promise."""
    parts = [
        box(left, top, *CARD, "card"),
        f'<circle class="dot" cx="{left + 26}" cy="{top + 28}" r="14"/>',
        text(left + 26, top + 33, str(number), "number", middle=True),
    ]
    below = top + 34
    for line in textwrap.wrap(question.asked, 30):
        parts.append(text(left + 50, below, line, "text asked"))
        below += 22
    below += 10
    for verbs_of_line in (question.verbs[:4], question.verbs[4:]):
        if verbs_of_line:
            parts.append(text(left + 16, below, " · ".join(verbs_of_line), "verb"))
            below += 22
    below += 6
    for line in textwrap.wrap(question.promise, 41):
        parts.append(text(left + 16, below, line, "soft"))
        below += 20
    assert below <= top + CARD[1] + 8, f"The card of {question.asked!r} is too full."
    return parts


def doors(top: int) -> tuple[list[str], int]:
    """Draw the lower band, the doors, and return where it ends."""
    said = f"The same operations behind four doors: {', '.join(DOORS)}"
    return [
        box(MARGIN, top, WIDTH - 2 * MARGIN, 46, "band"),
        text(WIDTH // 2, top + 29, said, "text", middle=True),
    ], top + 46


def box(left: int, top: int, width: int, height: int, kind: str) -> str:
    """Return a rounded box."""
    return f'<rect class="{kind}" x="{left}" y="{top}" width="{width}" height="{height}" rx="8"/>'


def arrow(left: int, middle: int, right: int) -> list[str]:
    """Return an arrow from left to right."""
    return [
        f'<path class="line" d="M {left} {middle} H {right - 8}"/>',
        f'<path class="head" d="M {right} {middle} l -10 -5 v 10 z"/>',
    ]


def text(left: int, base: int, said: str, kind: str, *, middle: bool = False) -> str:
    """Return one line of text."""
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text class="{kind}" x="{left}" y="{base}"{anchor}>{escape(said)}</text>'
