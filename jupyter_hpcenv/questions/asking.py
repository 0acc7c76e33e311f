"""Ask what a site has to say, each question with why it is asked, and what was found as its default."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from ..errors import HpcenvError
from ..managers import pipconf
from .answers import Answers, Place
from .detected import Detected
from .judging import check

#: Is chosen for a file that is not to be written.
NOWHERE = "nowhere"


class Prompt(Protocol):
    """Somebody who answers; the command line has a person, tests a list."""

    def text(self, question: str, why: str, default: str) -> str:
        """Return a line; empty where nothing is said."""

    def choice(self, question: str, why: str, options: Sequence[str], default: str) -> str:
        """Return one of *options*."""

    def yes(self, question: str, why: str, default: bool) -> bool:
        """Return whether it is so."""

    def say(self, text: str) -> None:
        """Show a line."""


def ask(proposed: Answers, found: Detected, prompt: Prompt) -> Answers:
    """Return the answers of whoever sits at *prompt*; each starts from what was *proposed*.

    What can not be used is said at once, and asked again: nobody answers twenty questions for nothing.
    """
    answers = msgspec.structs.replace(proposed, locations=dict(proposed.locations))
    for line in told(found):
        prompt.say(line)
    form = _Form(answers, prompt)
    form.line("contact", "Whom do people ask?", "A mail address or a page; errors that only you can mend name it.")
    form.line("cluster", "Name of this cluster?", "Environments keep it, so that nobody takes one of another cluster.")
    _modules(form)
    _pythons(form, found)
    _locations(form, found)
    _caches(form)
    _packages(form, found)
    _limits(form)
    return answers


class _Form:
    """The answers so far, and who gives them."""

    def __init__(self, answers: Answers, prompt: Prompt) -> None:
        self.answers, self.prompt = answers, prompt

    def line(self, field: str, question: str, why: str) -> None:
        """Ask for a text."""
        self._until(field, lambda: self.prompt.text(question, why, str(getattr(self.answers, field))))

    def words(self, field: str, question: str, why: str) -> None:
        """Ask for several, with blanks between."""
        self._until(field, lambda: self.prompt.text(question, why, " ".join(getattr(self.answers, field))).split())

    def number(self, question: str, why: str, default: int) -> int:
        """Ask for a number; 0 is none."""
        while True:
            text = self.prompt.text(question, why, str(default)) or "0"
            if text.isascii() and text.isdigit() and len(text) < 7:
                return int(text)
            self.prompt.say(f"{text!r} is no number.")

    def choice(self, field: str, question: str, why: str, options: Sequence[str]) -> None:
        """Ask which of *options* it is."""
        now = getattr(self.answers, field)
        chosen = self.prompt.choice(question, why, options, now if now in options else options[0])
        setattr(self.answers, field, "" if chosen == NOWHERE else chosen)

    def yes(self, field: str, question: str, why: str) -> None:
        """Ask whether it is so."""
        setattr(self.answers, field, self.prompt.yes(question, why, getattr(self.answers, field)))

    def place(self, name: str, root: str) -> bool:
        """Take a folder as a location, if it can be one; else say why not."""
        return self._take("locations", {**self.answers.locations, name: Place(root=root)})

    def _until(self, field: str, once: Callable[[], object]) -> None:
        while not self._take(field, once()):
            pass

    def _take(self, field: str, value: object) -> bool:
        wrong = _wrong(msgspec.structs.replace(self.answers, **{field: value}))
        if wrong and wrong != _wrong(self.answers):  # what is wrong already is asked for later
            self.prompt.say(wrong)
            return False
        setattr(self.answers, field, value)
        return True


def _wrong(answers: Answers) -> str:
    try:
        check(answers)
    except HpcenvError as error:
        return error.message
    return ""


def told(found: Detected) -> list[str]:
    """Return what was found, a line each."""
    system = {"lmod": "Lmod", "tcl": "Environment Modules", "none": "none"}[found.module_system]
    where = f" {found.module_version}, started by {found.module_init}" if found.module_init else ""
    lines = [
        f"Module system: {system}{where}",
        f"Pythons: {', '.join(dict.fromkeys(each.version for each in found.pythons)) or 'none'}",
        f"Modules of Python: {', '.join(found.python_modules[-4:]) or 'none'}",
        f"Modules of conda: {', '.join(found.conda_modules[-4:]) or 'none'}",
        f"Room: {', '.join(f'${name} ({folder})' for name, folder in found.rooms.items()) or 'your home alone'}",
        f"Your other groups: {', '.join(found.groups) or 'none'}",
        f"Batch system: {found.scheduler or 'none'}",
    ]
    return [*lines, *found.notes]


def _modules(form: _Form) -> None:
    answers, before = form.answers, form.answers.module_system
    form.choice(
        "module_system",
        "Module system?",
        "Kernels load modules by it; a server of JupyterHub often does not see it in its variables.",
        tuple(sorted(("lmod", "tcl", "none"), key=lambda each: each != before)),
    )
    if answers.module_system != before:
        answers.module_init = ""  # of the other one
    if answers.module_system == "none":
        answers.python_module = ""
        return
    form.line(
        "module_init",
        "Its start file for bash?",
        "Launch scripts source it. Empty: it is looked for in the usual places.",
    )
    form.line(
        "python_module",
        "Your module of Python?",
        "Settings that keep caches off the homes belong to its modulefile.",
    )


def _pythons(form: _Form, found: Detected) -> None:
    known = " ".join(each.path for each in found.pythons if each.source != "system")
    form.words(
        "python_paths",
        "Which Pythons do you recommend?",
        f"They lead the list. Paths with blanks between; empty: as they were found{f' ({known})' if known else ''}.",
    )
    form.yes(
        "hide_system_python",
        "Hide the operating system's own Python?",
        "Environments on it break with the system's next upgrade.",
    )


def _locations(form: _Form, found: Detected) -> None:
    answers, prompt = form.answers, form.prompt
    for name, place in list(answers.locations.items()):
        kept = prompt.yes(
            f"May environments lie in {place.root}?", f"People choose it as the location “{name}”.", default=True
        )
        if not kept:
            del answers.locations[name]
        elif name != "home":
            answers.locations[name] = _with_facts(place, form, found)
    while root := prompt.text("Another folder for environments?", "Empty: no more.", ""):
        form.place(prompt.text("Its name?", "A short word, as people type it.", ""), root)
    if answers.default_location not in answers.locations:
        answers.default_location = ""
    if len(answers.locations) > 1:
        form.choice(
            "default_location",
            "Which is taken when nobody says where?",
            "Best one that is large and not purged.",
            tuple(answers.locations),
        )


def _with_facts(place: Place, form: _Form, found: Detected) -> Place:
    days = form.number(
        f"After how many days do files go from {place.root} that nobody uses?",
        "People are warned before they lose work. 0: they stay.",
        place.purge_days or 0,
    )
    by, group = place.purge_by, place.group
    if days:
        by = by or "atime"
    elif found.groups:
        question = f"Whose quota counts in {place.root}?"
        group = form.prompt.text(question, f"A group, such as {found.groups[0]}; empty: the user's own.", group)
    return msgspec.structs.replace(place, purge_days=days or None, purge_by=by, group=group)


def _caches(form: _Form) -> None:
    form.line(
        "caches",
        "Where shall pip, uv and conda keep what they fetch?",
        "In the homes it fills quotas, and people can not save notebooks. $VARIABLES, ~ and {username} are filled in; "
        "empty: as these programs have it.",
    )
    form.line(
        "conda_envs",
        "Where shall conda itself make environments that have a name alone?",
        "In the homes they fill quotas, too. Empty: as conda has it.",
    )


def _packages(form: _Form, found: Detected) -> None:
    form.line("index_url", "Your mirror of the package index?", "Nothing else is asked then. Empty: there is none.")
    only = form.answers.no_index
    form.answers.no_index = False
    form.words(
        "find_links",
        "Your wheelhouse?",
        "Folders with wheels that were built for this cluster, with blanks between. Empty: there is none.",
    )
    if form.answers.find_links:
        form.answers.no_index = only
        form.yes("no_index", "Install from the wheelhouse alone?", "Then nothing is asked of the internet.")
    form.words(
        "no_binary",
        "Which packages does pip build from source?",
        "Wheels from elsewhere bring an MPI of their own, which does not know your network.",
    )
    such = f", such as {found.conda_command}" if found.conda_command else ""
    form.line(
        "conda_command",
        "Run a conda of yours?",
        f"Its path{such}. Empty: the engine that comes along, which needs none.",
    )
    form.words("channels", "Which conda channels?", "Taken where nobody names any; best first.")
    form.choice(
        "pip_conf",
        "Put pip.conf where pip reads it?",
        "It then holds for everybody here, also without jupyter_hpcenv. A sample is written anyway.",
        (NOWHERE, *map(str, pipconf.site_files(os.environ))),
    )
    form.choice(
        "condarc", "Put .condarc where conda reads it?", "The same for conda.", (NOWHERE, "/etc/conda/.condarc")
    )


def _limits(form: _Form) -> None:
    form.words(
        "managers",
        "Which environment managers may people use?",
        "Of venv, conda and modules, with blanks between; a rule of the policy. Empty: all.",
    )
    most = form.number(
        "How many environments may one user have?",
        "A rule of the policy, where files are counted. 0: as many as there is room for.",
        form.answers.environments or 0,
    )
    form.answers.environments = most or None
