"""Behave as conda, mamba or micromamba do, as far as their engine of ours talks to them.

Run as ``python -S fake_conda.py PROGRAM ARGUMENTS…``, with the site-packages in FAKE_SITE: tests start it often. What
it prints has the shape of the real ones: conda 26 and 23, mamba 1.5 (a conda with another solver), mamba 2 and
micromamba (libmamba 1.5 and 2.8). It reads the index of channels on this disk, solves by trying, and links real
packages. A JSON file that FAKE_CONDA names tells how it is to misbehave:

``log``       a file to which each call is added: arguments, variables, and the files that the arguments name
``version``   what it says of its version; decides between mamba 1 and 2 too
``noise``     print what may stand around an answer: warnings, a banner, lines of progress that end in NUL
``answers``   by mode (plan, download, apply): text to print instead of working, and the status to end with
``hang``      a mode in which it starts a child and waits for ever, once it has written both pids to ``pids``
``lie``       say that all is done, and do nothing
``unscanned`` extract into another cache, which it names in ``info``, unless it is to be ``unnamed``
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

VERSIONS = {"conda": "26.7.1", "mamba": "2.8.1", "micromamba": "2.8.1"}
SUBDIR = f"linux-{ {'x86_64': '64'}.get(os.uname().machine, os.uname().machine) }"

#: Options with a value, and without; anything else is a mistake, as it is for the real ones.
COMMON = ({"--prefix", "-c", "--file"}, {"--json", "--yes", "--dry-run", "--offline", "--download-only", "--all"})
CONDA = (
    set[str](),
    {
        "--override-channels",
        "--strict-channel-priority",
        "--no-channel-priority",
        "--no-deps",
        "--force-remove",
        "--update-specs",
    },
)
LIBMAMBA = ({"--rc-file"}, {"--no-deps", "--force"})


class Failure(Exception):
    """What an exception of conda's is: a name, a message, and more keys."""

    def __init__(self, name: str, message: str, **keys: Any) -> None:
        super().__init__(message)
        self.name, self.keys = name, keys


class Fake:
    def __init__(self, program: str, argv: list[str]) -> None:
        told = os.environ.get("FAKE_CONDA")
        self.told: dict[str, Any] = json.loads(Path(told).read_text()) if told else {}
        self.program = program
        self.version = self.told.get("version", VERSIONS[program])
        major = int(re.findall(r"\d+", self.version)[0])
        self.is_conda = program == "conda" or (program == "mamba" and major < 2)
        self.modern = not self.is_conda and tuple(map(int, self.version.split(".")[:2])) >= (2, 8)
        self.argv = argv
        self.settings: dict[str, Any] = {}
        self.neutered: list[str] = []

    # -- the road of a call ----------------------------------------------

    def main(self) -> int:
        self._log()
        if self.argv == ["--version"]:
            print({True: f"{self.program} ", False: ""}[self.is_conda] + self.version)
            if self.is_conda and self.program == "mamba":
                print("conda 24.1.2")
            return 0
        if self.argv == ["info", "--json"]:
            where = [os.environ["CONDA_PKGS_DIRS"]]
            where += [self.told["unscanned"]] if "unscanned" in self.told and not self.told.get("unnamed") else []
            self._print({"pkgs_dirs" if self.is_conda else "package cache": where})
            return 0
        try:
            self._read_arguments()
        except ValueError as error:
            print(f"usage: conda [-h]\nconda: error: unrecognized arguments: {error}", file=sys.stderr)
            return 2
        self._noise()
        answer = self.told.get("answers", {}).get(self.mode)
        if answer is not None:
            sys.stdout.write(answer["text"])
            return int(answer["status"])
        if self.told.get("hang") == self.mode:
            self._hang()
        try:
            return self._work()
        except Failure as failure:
            return self._fail(failure)

    def _log(self) -> None:
        if "log" not in self.told:
            return
        named = [Path(word) for word in self.argv if word.startswith("/") and Path(word).is_file()]
        files = {path.name: (path.read_text(), oct(path.stat().st_mode & 0o777)) for path in named}
        call = {"program": self.program, "argv": self.argv, "env": dict(os.environ), "files": files}
        with open(self.told["log"], "a") as log:
            log.write(json.dumps(call) + "\n")

    def _read_arguments(self) -> None:
        verb, *rest = self.argv
        valued, plain = [
            more | common for more, common in zip(CONDA if self.is_conda else LIBMAMBA, COMMON, strict=True)
        ]
        if verb == "remove" and not self.is_conda:
            valued, plain = valued - {"-c", "--file"}, plain - {"--all", "--no-deps"}
        self.verb, self.options, self.words = verb, {}, []  # type: ignore[var-annotated]
        self.channels: list[str] = []
        while rest:
            word = rest.pop(0)
            if word == "--":
                self.words += rest
                break
            if word in valued:
                value = rest.pop(0)
                self.options[word] = value
                self.channels += [value] if word == "-c" else []
            elif word in plain:
                self.options[word] = True
            else:
                raise ValueError(word)
        self.prefix = Path(self.options["--prefix"])
        self.mode = (
            "plan" if "--dry-run" in self.options else "download" if "--download-only" in self.options else "apply"
        )
        if not self.is_conda:
            self.settings = json.loads(Path(self.options["--rc-file"]).read_text())
        self.cache = Path(self.told.get("unscanned") or os.environ["CONDA_PKGS_DIRS"])

    def _work(self) -> int:
        if not (self.prefix / "conda-meta" / "history").is_file():
            raise Failure("DirectoryNotACondaEnvironmentError", f"No prefix found at: {self.prefix}")
        self.installed = {
            record["name"]: record
            for path in sorted((self.prefix / "conda-meta").glob("*.json"))
            for record in [json.loads(path.read_text())]
        }
        if "--file" in self.options:
            return self._explicit()
        wanted = self._solve()
        unlink = [r for n, r in self.installed.items() if n not in wanted or wanted[n]["url"] != r["url"]]
        link = [r for n, r in wanted.items() if n not in self.installed or self.installed[n]["url"] != r["url"]]
        return self._transact(link, unlink)

    def _transact(self, link: list[dict[str, Any]], unlink: list[dict[str, Any]]) -> int:
        fetch = [record for record in link if not self._folder(record).is_dir()]
        if not link and not unlink:
            self._print({"success": True, "message": "All requested packages already installed."})
            return 0
        if self.mode != "plan" and not self.told.get("lie"):
            for record in fetch:
                self._fetch(record)
            if self.mode == "apply":
                self._apply(link, unlink)
        if self.mode == "download" and self.is_conda:
            name = "CondaExitZero: Package caches prepared."
            print(
                json.dumps({"error": name, "exception_name": "CondaExitZero", "message": name}, indent=2),
                file=sys.stderr,
            )
            return 0
        self._answer(fetch, link, unlink)
        return 0

    # -- what it prints --------------------------------------------------

    def _print(self, document: dict[str, Any]) -> None:
        if self.modern:
            document["log_history"] = [
                {"level": "warning", "message": "Security Warning: scripts", "source": "libmamba"}
            ]
        print(json.dumps(document, indent=2 if self.is_conda else 4, sort_keys=not self.is_conda))

    def _noise(self) -> None:
        if not self.told.get("noise"):
            return
        print(
            "Retrying (Retry(total=2)) after connection broken by 'https://me:hunter2@example.org/t/tk-1234/x'",
            file=sys.stderr,
        )
        print(
            "DeprecationWarning: {this is no JSON\n\x1b[31mwarning  libmamba 'repo.anaconda.com'\x1b[0m",
            file=sys.stderr,
        )
        if self.is_conda:
            for end, part in (("false", 0.25), ("false", 1), ("true", 1)):
                bar = f'{{"fetch":"hpc-tiny-2.0 | 1 KB | ","finished":{end},"maxval":1,"progress":{part:f}}}'
                sys.stdout.write(bar + "\n\0")
        sys.stdout.flush()

    def _answer(self, fetch: list[dict[str, Any]], link: list[dict[str, Any]], unlink: list[dict[str, Any]]) -> None:
        short = self._short if self.is_conda else self._long
        actions: dict[str, Any] = {"FETCH": [self._long(r) for r in fetch], "PREFIX": str(self.prefix)}
        if not self.is_conda and not fetch:
            del actions["FETCH"]
        actions |= {"LINK": [short(r) for r in link]} if link else {}
        actions |= {"UNLINK": [short(r) for r in unlink]} if unlink else {}
        document = {"success": True, "actions": actions, "prefix": str(self.prefix)}
        document |= {"dry_run": True} if self.mode == "plan" else {}
        if self.is_conda and self.program == "mamba":
            print(json.dumps({"actions": {"FETCH": [], "LINK": None}, "success": True}, indent=4))  # libmamba's own
        self._print(document)

    def _short(self, record: dict[str, Any]) -> dict[str, Any]:
        root = record["url"].rsplit("/", 2)[0]
        stem = f"{record['name']}-{record['version']}-{record['build']}"
        return {
            "base_url": root,
            "build_number": 0,
            "build_string": record["build"],
            "channel": root.rpartition("/")[2],
            "dist_name": stem,
            "name": record["name"],
            "platform": record["subdir"],
            "version": record["version"],
        }

    def _long(self, record: dict[str, Any]) -> dict[str, Any]:
        keys = ("name", "version", "build", "build_number", "subdir", "fn", "md5", "sha256", "url", "depends", "size")
        said = {key: record.get(key) for key in keys}
        said["channel"] = record["url"].rsplit("/", 1)[0]
        if not self.is_conda:
            said["build_string"] = said["build"]
            said["depends"] = said["depends"] or (None if not self.modern else [])
        return said

    def _fail(self, failure: Failure) -> int:
        if self.is_conda and not (
            self.program == "mamba" and failure.name in ("UnsatisfiableError", "PackagesNotFoundError")
        ):
            keys = {"exception_name": failure.name, "message": str(failure), "error": f"{failure.name}: {failure}"}
            self._print(dict(sorted({**keys, "caused_by": "None", **failure.keys}.items())))
        elif self.is_conda:  # mamba 1 only talks
            print(f"\nCould not solve for environment specs\n{self._tree(failure)}")
        elif failure.name in ("UnsatisfiableError", "PackagesNotFoundError"):
            problems = [line.strip(" -") for line in str(failure).splitlines() if line.strip()]
            document: dict[str, Any] = {"solver_problems": problems, "success": False}
            logged = [("error", f"Could not solve for environment specs\n{self._tree(failure)}")]
            logged.append(("critical", "Could not solve for environment specs"))
            if self.modern:
                document["log_history"] = [{"level": a, "message": b, "source": "libmamba"} for a, b in logged]
            for level, message in () if self.modern else logged:
                print(f"{level:8} libmamba {message}", file=sys.stderr)
            print(json.dumps(document, indent=4))
        else:
            print(f"critical libmamba {failure}", file=sys.stderr)
            print(json.dumps({"success": False} if self.modern else None, indent=4))
        return 1

    def _tree(self, failure: Failure) -> str:
        if failure.name == "PackagesNotFoundError":
            name = failure.keys["packages"][0]
            missing = f"{name} =* * does not exist (perhaps a typo or a missing channel)."
            return f"The following package could not be installed\n└─ {missing}"
        return f"The following packages are incompatible\n└─ {failure}"

    def _hang(self) -> None:
        import subprocess

        signal.signal(signal.SIGINT, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(2, 1); time.sleep(600)"])
        target = Path(self.told["pids"])
        target.with_suffix(".new").write_text(f"{os.getpid()} {child.pid}")
        target.with_suffix(".new").rename(target)
        time.sleep(600)

    # -- solving ---------------------------------------------------------

    def _solve(self) -> dict[str, dict[str, Any]]:
        """Return the records that are to be there, by name."""
        asked = self._asked_for()
        if self.options.keys() & {"--force", "--force-remove"}:
            return {name: record for name, record in self.installed.items() if name not in self.words}
        if self.verb == "remove":
            return self._without(asked)
        universe = self._universe()
        specs = [*self._pins(), *self.words]
        names = {name_of(word) for word in self.words}
        if self.verb == "update":
            if self.program == "conda" and any(name_of(word) != word for word in self.words):
                raise Failure("CondaUpdatePackageError", f"`conda update` only supports name-only spec: {self.words}")
            if missing := [name for name in names if name not in self.installed]:
                text = f"Package is not installed in prefix.\n  prefix: {self.prefix}\n  package name: {missing[0]}\n"
                raise Failure("PackageNotInstalledError", text, package_name=missing[0])
            fluid = set(self.installed) if "--all" in self.options else names
            if self.is_conda and "--all" in self.options:  # conda loosens what was asked for, and writes that down
                self.neutered = [name for name, spec in asked.items() if name != spec]
                asked = {name: name for name in asked}
            specs += [spec for name, spec in asked.items() if name in self.installed and name not in names]
        else:
            fluid = names if "--update-specs" in self.options else set()
            specs += [spec for name, spec in asked.items() if name in self.installed and name not in names]
        for word in self.words if self.verb == "install" else []:
            fitting = [r for r in universe.get(name_of(word), []) if fits(word, r)]
            if not fitting:
                raise Failure("PackagesNotFoundError", f"  - nothing provides requested {word}", packages=[word])
        if "--no-deps" in self.options:
            return {
                **self.installed,
                **{name_of(w): next(r for r in universe[name_of(w)] if fits(w, r)) for w in self.words},
            }
        kept = {name: record for name, record in self.installed.items() if name not in fluid}
        found = self._search(specs, {}, universe, kept)
        if found is None:
            text = "The following specifications were found to be incompatible:\n" + "".join(
                f"  - {s}\n" for s in specs
            )
            raise Failure("UnsatisfiableError", text + self._lacking(universe))
        return {**self.installed, **found}

    def _lacking(self, universe: dict[str, list[dict[str, Any]]]) -> str:
        needed = [d for w in self.words for r in universe[name_of(w)] for d in r["depends"] if d.startswith("__")]
        return "".join(f"  - {each}\nYour system does not have it: your system\n" for each in needed)

    def _search(
        self,
        specs: list[str],
        chosen: dict[str, dict[str, Any]],
        universe: dict[str, list[dict[str, Any]]],
        kept: dict[str, dict[str, Any]],
    ) -> dict[str, dict[str, Any]] | None:
        for index, spec in enumerate(specs):
            name = name_of(spec)
            if name.startswith("__"):
                version = os.environ.get(f"CONDA_OVERRIDE_{name[2:].upper()}")
                if not version or not fits(spec, {"name": name, "version": version, "build": "0"}):
                    return None
                continue
            if name in chosen:
                if not fits(spec, chosen[name]):
                    return None
                continue
            first = [kept[name]] if name in kept else []
            for record in [*first, *universe.get(name, [])]:
                if fits(spec, record) and all(name_of(s) != name or fits(s, record) for s in specs):
                    rest = [*specs[index + 1 :], *record.get("depends", [])]
                    found = self._search(rest, {**chosen, name: record}, universe, kept)
                    if found is not None:
                        return found
            return None
        return chosen

    def _universe(self) -> dict[str, list[dict[str, Any]]]:
        """Return all packages, best first; with strict priority those of the first channel that has the name."""
        found: dict[str, list[dict[str, Any]]] = {}
        if "--offline" in self.options:
            return found
        extra = [m[1] for word in self.words if (m := re.search(r'\[channel="([^"]+)"', word))]
        for channel in [*extra, *self.channels]:
            here: dict[str, list[dict[str, Any]]] = {}
            for subdir in ("noarch", SUBDIR):
                path = Path(unquote(urlsplit(channel).path)) / subdir / "repodata.json"
                if not path.is_file():
                    text = f"HTTP 404 Not Found for channel x <{channel}>"
                    raise Failure("UnavailableInvalidChannel", text, channel_url=channel, status_code=404)
                data = json.loads(path.read_text())
                for file, record in {**data.get("packages", {}), **data.get("packages.conda", {})}.items():
                    record |= {"fn": file, "subdir": subdir, "url": f"{channel}/{subdir}/{file}"}
                    here.setdefault(record["name"], []).append(record)
            for name, records in here.items():
                if name not in found:
                    found[name] = sorted(records, key=lambda r: numbers(r["version"]), reverse=True)
        return found

    def _without(self, asked: dict[str, str]) -> dict[str, dict[str, Any]]:
        if self.is_conda and (missing := [word for word in self.words if word not in self.installed]):
            text = f"The following packages are missing from the target environment:\n  - {missing[0]}\n"
            raise Failure("PackagesNotFoundInPrefixError", text, package_name=missing)
        going = set(self.words)
        while more := {
            n for n, r in self.installed.items() if n not in going and going & set(map(name_of, r["depends"]))
        }:
            going |= more
        left = {name: record for name, record in self.installed.items() if name not in going}
        while orphans := [
            n for n in left if n not in asked and not any(n in map(name_of, r["depends"]) for r in left.values())
        ]:
            for name in orphans:
                del left[name]
        return left

    def _pins(self) -> list[str]:
        said = self.settings.get("pinned_packages") or os.environ.get("CONDA_PINNED_PACKAGES", "").split("&")
        touched = {name_of(word) for word in self.words} | self.installed.keys()
        return [pin for pin in said if pin and name_of(pin) in touched]

    def _asked_for(self) -> dict[str, str]:
        asked: dict[str, str] = {}
        for line in (self.prefix / "conda-meta" / "history").read_text().splitlines():
            if match := re.match(r"# (update|remove|neutered) specs: (\[.*\])", line):
                for spec in (first or second for first, second in re.findall(r"'([^']*)'|\"([^\"]*)\"", match[2])):
                    if match[1] == "remove":
                        asked.pop(name_of(spec), None)
                    else:
                        asked[name_of(spec)] = spec
        return asked

    # -- files -----------------------------------------------------------

    def _folder(self, record: dict[str, Any]) -> Path:
        stem = re.sub(r"\.(conda|tar\.bz2)$", "", record["fn"])
        if not self.modern:
            return self.cache / stem
        scheme, _, rest = record["url"].rpartition("/")[0].partition("://")
        return self.cache / scheme / rest.replace(":", "_").lstrip("/") / stem

    def _fetch(self, record: dict[str, Any]) -> None:
        sys.path.append(os.environ["FAKE_SITE"])  # takes its time, and few calls need it
        from conda_package_streaming.extract import extract

        folder = self._folder(record)
        folder.mkdir(parents=True)
        archive = folder.parent / record["fn"]
        shutil.copyfile(unquote(urlsplit(record["url"]).path), archive)
        extract(str(archive), str(folder))
        (folder / "info" / "repodata_record.json").write_text(json.dumps(record))

    def _explicit(self) -> int:
        link = []
        for line in Path(self.options["--file"]).read_text().splitlines()[1:]:
            url, _, digest = line.partition("#")
            if digest.startswith("sha256:") and self.program == "conda" and int(self.version.split(".")[0]) < 24:
                raise Failure("ParseError", f"Could not parse explicit URL: {line}")
            archive = Path(unquote(urlsplit(url).path))
            if not archive.is_file():
                raise Failure("CondaHTTPError", f"HTTP 404 NOT FOUND for url <{url}>", status_code=404, url=url)
            data, kind = archive.read_bytes(), "sha256" if digest.startswith("sha256:") else "md5"
            name, version, build = re.sub(r"\.(conda|tar\.bz2)$", "", archive.name).rsplit("-", 2)
            record = {"name": name, "version": version, "build": build, "url": url, "fn": archive.name, "depends": []}
            record |= {"subdir": archive.parent.name, "size": len(data), kind: digest.rpartition(":")[2] or None}
            if not self._folder(record).is_dir():  # what is there already is not looked at again, as with conda
                import hashlib

                actual = hashlib.new(kind, data).hexdigest()
                if digest and actual != record[kind]:
                    text = (
                        f"Conda detected a mismatch between the expected and the downloaded content\nfor url '{url}'."
                    )
                    inner = {"exception_name": "ChecksumMismatchError", "message": text, "error": text}
                    raise Failure(
                        "CondaMultiError", f"{archive.name} tarball has incorrect checksum", errors=[inner, inner]
                    )
                self._fetch(record)
            index = json.loads((self._folder(record) / "info" / "index.json").read_text())
            link.append(record | {"depends": index["depends"]})
        if self.mode != "apply" and self.is_conda:
            raise AssertionError("conda links an exact list whatever it is told")
        self.words = [f"{r['url'].rpartition('/')[0]}::{r['name']}=={r['version']}={r['build']}" for r in link]
        if self.mode == "apply" and not self.told.get("lie"):
            self._apply(link, [])
        if not self.is_conda:
            self._answer([], link, [])
        return 0

    def _apply(self, link: list[dict[str, Any]], unlink: list[dict[str, Any]]) -> None:
        for record in unlink:
            self._unlink(record)
        for record in link:
            self._link(record)
        names = {"remove": "remove"}.get(self.verb, "update")
        lines = [f"==> {time.strftime('%Y-%m-%d %H:%M:%S')} <==", f"# cmd: {self.program} {' '.join(self.argv)}"]
        lines += [f"-{r['url'].rpartition('/')[0]}::{r['name']}-{r['version']}-{r['build']}" for r in unlink]
        lines += [f"+{r['url'].rpartition('/')[0]}::{r['name']}-{r['version']}-{r['build']}" for r in link]
        if self.words:
            specs = repr(self.words) if self.is_conda else json.dumps(self.words)
            lines.append(f"# {names} specs: {specs}")
        if self.neutered:
            lines.append(f"# neutered specs: {self.neutered!r}")
        with (self.prefix / "conda-meta" / "history").open("a") as history:
            history.write("".join(f"{line}\n" for line in lines))

    def _link(self, record: dict[str, Any]) -> None:
        tree = self._folder(record)
        copies = self.settings.get("always_copy") or os.environ.get("CONDA_ALWAYS_COPY") == "true"
        paths = [each["_path"] for each in json.loads((tree / "info" / "paths.json").read_text())["paths"]]
        for path in paths:
            (self.prefix / path).parent.mkdir(parents=True, exist_ok=True)
            if copies:
                shutil.copy2(tree / path, self.prefix / path, follow_symlinks=False)
            else:
                os.link(tree / path, self.prefix / path, follow_symlinks=False)
        script = self.prefix / "bin" / f".{record['name']}-post-link.sh"
        if script.exists():
            import subprocess

            env = {**os.environ, "PREFIX": str(self.prefix), "PKG_NAME": record["name"]}
            if subprocess.run(["sh", str(script)], env=env, capture_output=True).returncode:
                for path in paths:
                    (self.prefix / path).unlink()
                where = f"{record['url'].rpartition('/')[0]}::{record['name']}-{record['version']}-{record['build']}"
                raise Failure("LinkError", f"post-link script failed for package {where}")
        stem = f"{record['name']}-{record['version']}-{record['build']}"
        asked = next((word for word in self.words if name_of(word) == record["name"]), None)
        old = self.is_conda and numbers(self.version) < (26, 3)
        meta = {**record, "channel": record["url"].rpartition("/")[0], "files": paths}
        meta["requested_spec"] = str(asked) if old else asked
        (self.prefix / "conda-meta" / f"{stem}.json").write_text(json.dumps(meta))

    def _unlink(self, record: dict[str, Any]) -> None:
        for path in record["files"]:
            (self.prefix / path).unlink(missing_ok=True)
        stem = f"{record['name']}-{record['version']}-{record['build']}"
        (self.prefix / "conda-meta" / f"{stem}.json").unlink()


def name_of(spec: str) -> str:
    match = re.match(r"(?:.*::)?([\w.-]+)", spec)
    assert match, spec
    return match[1]


def numbers(version: str) -> tuple[int, ...]:
    found = [int(number) for number in version.split(".")]
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def fits(spec: str, record: dict[str, Any]) -> bool:
    """Tell whether a record is what a match spec asks for; knows what the tests use."""
    rest = re.sub(r"^.*::", "", re.sub(r"\[.*\]", "", spec))[len(name_of(spec)) :].strip()
    constraint, _, build = rest.partition(" ")
    if "=" in constraint.lstrip("=<>!~") and not build:
        constraint, _, build = constraint.rpartition("=")
    if build and build != record["build"]:
        return False
    return all(_holds(each, record["version"]) for each in constraint.split(",") if each not in ("", "*"))


def _holds(constraint: str, version: str) -> bool:
    match = re.match(r"(==|>=|<=|!=|=|<|>|)(.*)", constraint)
    assert match
    operator, wanted = match[1], match[2]
    if wanted.endswith(".*") or operator == "=":
        return f"{version}.".startswith(wanted.removesuffix("*").rstrip(".") + ".")
    a, b = numbers(version), numbers(wanted)
    return {"==": a == b, "": a == b, ">=": a >= b, "<=": a <= b, "!=": a != b, "<": a < b, ">": a > b}[operator]


if __name__ == "__main__":
    sys.exit(Fake(sys.argv[1], sys.argv[2:]).main())
