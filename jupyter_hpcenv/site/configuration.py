"""Read the configuration files that the server reads, and refuse to go on without one that is broken."""

from __future__ import annotations

import ast
import contextlib
import copy
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BrokenConfiguration, InvalidRequest

if TYPE_CHECKING:
    from traitlets.config import Config

#: As `jupyter_core.application.JupyterApp` does for an extension of the name “hpcenv”: the later one wins.
FILES = ("jupyter_config", "jupyter_hpcenv_config")


class Configuration:
    """The configuration of one command, and the files that it came from."""

    def __init__(
        self,
        file: str = "",
        definitions: Sequence[str] = (),
        *,
        own_process: bool = True,
        broken: list[BrokenConfiguration] | None = None,
    ) -> None:
        """Read all files; *own_process* keeps what they print off standard output, which a server must not swap.

        Into *broken* go the errors of files that can not be read, for who looks for all of them; else the first one
        is raised.
        """
        from traitlets.config import Config

        self.config: Config = Config()
        self.sources: list[tuple[Path, Config]] = []
        # What a configuration file prints must not get between us and who reads our JSON.
        with contextlib.redirect_stdout(sys.stderr) if own_process else contextlib.nullcontext():
            for path in _files(file):
                try:
                    loaded = _load(path)
                except BrokenConfiguration as error:
                    if broken is None:
                        raise
                    broken.append(error)
                    continue
                self.sources.append((path, loaded))
                self.config.merge(copy.deepcopy(loaded))  # merging shares sections, and changes them
        for definition in definitions:
            self.config.merge(_definition(definition))

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """Turn a value that a trait refuses into an error that names the file it stands in."""
        from traitlets import TraitError

        try:
            yield
        except TraitError as error:
            where = " and ".join(str(path) for path in self._blamed(str(error)))
            raise BrokenConfiguration(
                f"The configuration has a value that can not be used{': see ' + where if where else ''}.",
                reason=str(error),
                hints=["Correct the value, or take it out."],
            ) from error

    def _blamed(self, message: str) -> list[Path]:
        """Return the files that set the trait which *message* is about; all of them if that is not clear."""
        named = re.search(r"'(?P<trait>\w+)' trait|c\.\w+\.(?P<other>\w+)", message)
        trait = (named["trait"] or named["other"]) if named else ""
        found = [path for path, config in self.sources if any(trait in section for section in config.values())]
        return found or [path for path, _ in self.sources]


def _files(file: str) -> list[Path]:
    """Return the files to read, the one that wins last."""
    from jupyter_core.paths import jupyter_config_path

    folders = [Path(folder) for folder in reversed(jupyter_config_path())]
    names = FILES[:1] if file else FILES
    found = [folder / f"{name}.{kind}" for name in names for folder in folders for kind in ("py", "json")]
    existing = [path for path in found if _is_file(path)]
    if file:
        asked = Path(file).absolute()
        if not _is_file(asked):
            raise InvalidRequest(f"There is no configuration file {asked}.", hints=["Correct the path."])
        existing.append(asked)
    return existing


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError as error:
        raise _broken(path, error) from error


def _load(path: Path) -> Config:
    from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

    loader = JSONFileConfigLoader if path.suffix == ".json" else PyFileConfigLoader
    try:
        return loader(path.name, path=str(path.parent)).load_config()
    except (Exception, SystemExit) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: BaseException) -> BrokenConfiguration:
    line = getattr(error, "lineno", None) or _line_in(path, error)
    return BrokenConfiguration(
        f"The configuration file {path} can not be read{f': see line {line}' if line else ''}.",
        reason=f"{type(error).__name__}: {error}",
        hints=["Correct the file, or take it away. Nothing is done without it, because it may hold rules."],
    )


def _line_in(path: Path, error: BaseException) -> int | None:
    """Return the line of *path* in which an exception arose, if it did in that file."""
    trace, found = error.__traceback__, None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _definition(text: str) -> Config:
    from traitlets.config import Config

    match = re.fullmatch(r"([A-Za-z_]\w*)\.([A-Za-z_]\w*)=(.*)", text, re.DOTALL)
    if not match:
        raise InvalidRequest(
            f"“{text}” sets nothing.", hints=["Write Class.trait=value, for example “-D Site.trash_days=3”."]
        )
    value: object = match[3]
    with contextlib.suppress(ValueError, SyntaxError):  # what is no Python literal is a text
        value = ast.literal_eval(match[3])
    config = Config()
    config[match[1]][match[2]] = value
    return config
