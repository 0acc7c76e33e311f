"""Which packages of a prefix need what is not there, or is there in another version; read from their metadata."""

from __future__ import annotations

import contextlib
from pathlib import Path

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..managers import packages


def conflicts(prefix: Path, python: str) -> list[str]:
    """Return a sentence for each requirement between its packages that does not hold under *python*; extras apart."""
    there = {str(canonicalize_name(each.name)): each.version for each in packages.list_packages(prefix)}
    under = {"python_version": ".".join(python.split(".")[:2]), "python_full_version": python, "extra": ""}
    found = []
    for name, texts in sorted(packages.requirements(prefix).items()):
        for text in texts:
            with contextlib.suppress(InvalidRequirement, UndefinedEnvironmentName, InvalidVersion):
                needed = Requirement(text)
                if needed.marker is not None and not needed.marker.evaluate(under):
                    continue
                version = there.get(str(canonicalize_name(needed.name)))
                if version is None:
                    found.append(f"{name} needs {needed.name}{needed.specifier}, which is not installed.")
                elif not needed.specifier.contains(Version(version), prereleases=True):
                    found.append(f"{name} needs {needed.name}{needed.specifier}, and {version} is installed.")
    return found
