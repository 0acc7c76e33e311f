"""Take a defence out of a copy of the package, and see the test that holds it fail.

``python scripts/remove_defence.py --all`` prints a line for each, and fails if a test still passes without its
defence (or fails with it). A defence that can be removed unnoticed is none.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).resolve().parent.parent


class Defence(NamedTuple):
    """One place in the code, what it would be without the defence, and the test that must fail then."""

    threat: str
    file: str
    there: str
    """A regular expression that matches exactly once."""
    removed: str
    test: str


DEFENCES = {
    "job-without-variables": Defence(
        "7: a job carries the variables of who submitted it",
        "batch/slurm.py",
        r'"--export=NIL", ',
        '"--export=ALL", ',
        "tests/slurm/test_conformance.py::TestSlurm::test_variables_of_the_server_steer_nothing_and_stay_where_they_are",
    ),
    "job-not-steered": Defence(
        "7: SBATCH_* and the variables of a job around the server steer what is submitted",
        "batch/slurm.py",
        r'return \{"PATH": os\.environ\.get\("PATH", os\.defpath\), "LC_ALL": "C", \*\*kept\}',
        "return dict(os.environ)",
        "tests/slurm/test_conformance.py::TestSlurm::test_variables_of_the_server_steer_nothing_and_stay_where_they_are",
    ),
    "kernel-of-one-server": Defence(
        "fault: two servers take over one kernel",
        "lifecycle/job_folder.py",
        r"if _is_left\(self\.path, server_time\(_all\(site\)\) or 0\.0, ABSENT\):",
        "if True:",
        "tests/unit/provisioner/test_staying.py::test_one_server_takes_it_over_and_the_one_before_lets_go",
    ),
    "types-one-at-a-time": Defence(
        "fault: two threads are the first to read a record",
        "typed.py",
        r"        with _learning:",
        "        if True:",
        "tests/unit/test_typed.py::test_threads_that_are_the_first_to_read_a_type_do_not_crash",
    ),
    "closer-no-worker": Defence(
        "fault: a server that cancels ends another one that closes the operation",
        "operations/store.py",
        r"status\.process is not None and not status\.closing",
        "status.process is not None",
        "tests/unit/operations/test_store.py::test_who_closes_an_operation_is_no_worker_and_gets_no_signal",
    ),
    "digest-needed": Defence(
        "14: a lockfile names an archive of which nobody knows what is in it",
        "formats/hashes.py",
        r"if not found\.hashes:",
        "if False:",
        "tests/unit/formats/test_pylock.py::test_what_is_refused_names_its_key",
    ),
    "capsule-own-addresses": Defence(
        "15: a capsule carries a path or a secret away",
        "formats/capsule.py",
        r"if text\.startswith\(\"-e \"\) or \"file:\" in address:\n        return True",
        "if False:\n        return True",
        "tests/unit/formats/test_capsule.py::test_no_variable_no_path_and_no_secret_leaves_with_a_capsule",
    ),
    "index-of-the-policy": Defence(
        "23: a file somewhere names another index than the site's policy",
        "managers/only.py",
        r"    if allowed is None:\n",
        "    if True:\n",
        "tests/unit/managers/test_only.py::test_nothing_else_that_names_an_index_is_left",
    ),
    "own-hook": Defence(
        "22: a hook that others can write decides about everybody's requests",
        "policy/hook.py",
        r"if writers := who_can_write\(program, owners\):",
        "if False:",
        "tests/unit/policy/test_hook.py::test_a_hook_that_others_can_write_is_not_run",
    ),
    "hook-shows-no-values": Defence(
        "6: secrets in variables are shown to a program of the site",
        "policy/hook.py",
        r"shown\[field\] = sorted\(shown\[field\]\)",
        "pass",
        "tests/unit/policy/test_hook.py::test_values_of_variables_are_not_shown",
    ),
    "preset-of-staff": Defence(
        "29: a preset that others can write proposes what they like",
        "admission/presets.py",
        r"if writers := who_can_write\(path, \[owner\]\):",
        "if False:",
        "tests/site/test_presets.py::test_what_others_could_have_written_is_not_read",
    ),
    "policy-to-its-last-key": Defence(
        "22: a slip of the pen makes a rule vanish",
        "policy/reading.py",
        r"class Enforced\(msgspec\.Struct, forbid_unknown_fields=True,",
        "class Enforced(msgspec.Struct,",
        "tests/unit/policy/test_reading.py::test_what_is_not_understood_to_its_last_key_refuses",
    ),
    "allow-list": Defence(
        "6: tokens of Hub and server reach builds",
        "process.py",
        r"kept = \{k: v for k, v in inherited\.items\(\) if .*\}\n",
        "kept = dict(inherited)\n",
        "tests/unit/test_process.py::test_environment_is_an_allow_list",
    ),
    "no-follow": Defence(
        "9: a link is swapped in while a tree is removed",
        "files.py",
        r"flags = os\.O_RDONLY \| os\.O_DIRECTORY \| os\.O_NOFOLLOW \| os\.O_CLOEXEC",
        "flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC",
        "tests/crowd/test_races.py::test_a_link_swapped_in_while_a_tree_is_removed",
    ),
    "regular-record": Defence(
        "5: a record is a link to somebody's secret",
        "files.py",
        r"os\.O_RDONLY \| os\.O_NOFOLLOW \| os\.O_NONBLOCK",
        "os.O_RDONLY | os.O_NONBLOCK",
        "tests/unit/test_files.py::test_read_regular_refuses_what_another_could_have_put_there",
    ),
    "own-trash": Defence(
        "10: a trash is planted before the first deletion",
        "catalog/trash.py",
        r"if not stat\.S_ISDIR\(facts\.st_mode\) or facts\.st_uid != os\.geteuid\(\) or facts\.st_mode & 0o077:",
        "if False:",
        "tests/crowd/test_races.py::test_a_trash_that_was_there_before_is_not_used",
    ),
    "own-marks": Defence(
        "10: another fills a trash, and its owner's sweeper removes it",
        "catalog/trash.py",
        r"if not stat\.S_ISDIR\(facts\.st_mode\) or facts\.st_uid != os\.geteuid\(\) or facts\.st_mode & 0o022:",
        "if False:",
        "tests/crowd/test_races.py::test_what_another_put_into_a_trash_is_not_removed",
    ),
    "json-only": Defence(
        "28: a form of a strange page changes something",
        "server/handlers/base.py",
        r'if self\.request\.method in \("POST", "PUT", "PATCH"\):',
        "if False:",
        "tests/server/test_bodies.py::test_content_type",
    ),
    "clean": Defence(
        "18: an escape sequence in a record steers the terminal",
        "cli/clean.py",
        r'    text = _SEQUENCES\.sub\("", text\)\n',
        "    return text\n",
        "tests/cli/test_clean.py::test_known_tricks",
    ),
    "steering": Defence(
        "30: a variable of an environment steers the loader",
        "names.py",
        r"if re\.fullmatch\(STEERING, name\):",
        "if False:",
        "tests/unit/test_names.py::test_variables_that_steer_or_break_a_launch_are_refused",
    ),
    "sticky-target": Defence(
        "4: a folder that everybody can fill is taken for one in which only owners rename",
        "trust.py",
        r"if above and facts\.st_mode & stat\.S_ISVTX:",
        "if facts.st_mode & stat.S_ISVTX:",
        "tests/unit/test_trust.py::test_what_is_said_is_what_another_user_can_do",
    ),
    "linked-parent": Defence(
        "4: a link on the way belongs to somebody else",
        "trust.py",
        r"found\[place\] = Step\(place, facts, _owner\(facts, place, known\)\)",
        "found[place] = Step(place, facts, ())",
        "tests/unit/test_trust.py::test_linked_parents_are_walked_as_the_kernel_does",
    ),
    "unknown-acl": Defence(
        "4: an access list of a kind that is not known lets somebody write",
        "trust.py",
        r"raise UnknownAcl\(attribute\)",
        "continue",
        "tests/unit/test_trust.py::test_an_access_list_of_another_kind_counts_as_writable",
    ),
    "adopt-home": Defence(
        "11: a home, or a folder with locations, is adopted",
        "lifecycle/adopt.py",
        r"if kept == prefix or kept\.is_relative_to\(prefix\):",
        "if False:",
        "tests/integration/test_adopt.py::test_what_nobody_can_have_meant_is_refused",
    ),
    "audit-one-line": Defence(
        "18: a name forges a line of the audit log, or steers the terminal of who reads it",
        "site/audit.py",
        r"ensure_ascii=True",
        "ensure_ascii=False",
        "tests/unit/site/test_audit.py::test_no_name_ends_a_line_or_steers_a_terminal",
    ),
    "audit-link": Defence(
        "33: the audit log is a link to another file of whoever writes",
        "site/audit.py",
        r"os\.O_CREAT \| os\.O_NOFOLLOW",
        "os.O_CREAT",
        "tests/unit/site/test_audit.py::test_a_link_is_not_followed",
    ),
    "report-links": Defence(
        "5: a link leads the report of staff out of a location",
        "catalog/everybody.py",
        r"names = sorted\(entry\.name for entry in entries if entry\.is_dir\(follow_symlinks=False\)\)",
        "names = sorted(entry.name for entry in entries if entry.is_dir())",
        "tests/unit/catalog/test_everybody.py::test_links_below_a_location_are_not_followed",
    ),
    "numbers-without-names": Defence(
        "32: a word of a user's gets onto the page of metrics",
        "server/numbers.py",
        r"operation\.verb if operation\.verb in VERBS else OTHER",
        "operation.verb",
        "tests/server/test_numbers.py::test_no_word_of_a_user_is_on_the_page",
    ),
}


def run(package: Path, test: str) -> subprocess.CompletedProcess[str]:
    """Run a test with the package that lies beside *package*'s files, and with no other."""
    env = {**os.environ, "PYTHONPATH": str(package.parent)}
    program = (
        "import sys, jupyter_hpcenv, pytest; "
        "assert jupyter_hpcenv.__file__.startswith(sys.argv[1]); sys.exit(pytest.main(sys.argv[2:]))"
    )
    arguments = ["-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=line", test]
    command = [sys.executable, "-P", "-c", program] if sys.version_info >= (3, 11) else [sys.executable, "-c", program]
    return subprocess.run(
        [*command, str(package.parent), *arguments], cwd=CHECKOUT, env=env, text=True, capture_output=True
    )


def show(name: str, defence: Defence) -> bool:
    """Run the test with the defence and without it; say how both went, and tell whether that is right."""
    with tempfile.TemporaryDirectory(prefix="hpcenv-defence-") as folder:
        package = Path(folder).resolve() / "jupyter_hpcenv"
        ignored = shutil.ignore_patterns("__pycache__", "labextension")
        shutil.copytree(CHECKOUT / "jupyter_hpcenv", package, ignore=ignored)
        place = package / defence.file
        text, count = re.subn(defence.there, lambda _: defence.removed, place.read_text())
        if count != 1:
            print(f"{name}: the defence was found {count} times in {defence.file}, not once")
            return False
        with_it = run(package, defence.test)
        place.write_text(text)
        without = run(package, defence.test)
    right = with_it.returncode == 0 and without.returncode == 1
    words = {0: "passes", 1: "fails"}
    how = [words.get(done.returncode, f"ends with {done.returncode}") for done in (with_it, without)]
    print(f"{'ok' if right else 'WRONG'}  {name} ({defence.threat}): {defence.test} {how[0]} with it, {how[1]} without")
    if not right:
        print((with_it if with_it.returncode else without).stdout[-2000:])
    return right


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/remove_defence.py", description=__doc__)
    parser.add_argument("name", nargs="?", choices=sorted(DEFENCES), help="the defence to take out")
    parser.add_argument("--all", action="store_true", help="each of them, one after another")
    options = parser.parse_args()
    if options.all == bool(options.name):
        parser.error("give one name, or --all")
    names = DEFENCES if options.all else [options.name]
    shown = [show(name, DEFENCES[name]) for name in names]
    return 0 if all(shown) else 1


if __name__ == "__main__":
    sys.exit(main())
