"""docs/how-to/admins/preinstall.md as it is printed, by root and the account that the page makes.

It runs in a mount namespace of its own, in which /etc is a copy and /srv is empty, and which is gone afterwards.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from ..conftest import require
from ..crowd.test_users import reachable
from ..docs import printed
from ..installed import for_everybody
from ..serving import KEPT

PAGE = printed.DOCS / "how-to" / "admins" / "preinstall.md"

#: What comes before the page: a namespace with its own accounts, and a Python that has jupyter_hpcenv.
BEFORE = """
set -eu
mount --make-rprivate /
mount --bind "$BASE/etc" /etc
mount -t tmpfs -o mode=0755 none /srv
rm -rf /etc/jupyter
"""

AFTER = """
echo "LINK $(readlink /srv/jupyter/environments/teaching)"
echo "OWNERS $(find /srv/jupyter/environments /srv/jupyter/kernels -printf '%u\\n' | sort -u | tr '\\n' ' ')"
echo "THERE $(ls /srv/jupyter/environments)"
grep -h display_name /srv/jupyter/kernels/hpcenv-site.teaching/kernel.json
setpriv --reuid=43012 --regid=43012 --clear-groups -- \\
  /srv/jupyter/kernels/hpcenv-site.teaching/launch -c 'import networkx, sys; print("SEES", sys.prefix)'
"""


def commands(text: str) -> str:
    """Return what root types, as a script; lines without a prompt are those of a here-document."""
    lines = "\n".join(printed.blocks(text, "console")).splitlines()
    return "\n".join(line.removeprefix("# ") for line in lines)


def test_the_page_as_printed() -> None:
    require("root", os.geteuid() == 0)
    require("unshare, su and useradd", all(shutil.which(each) for each in ("unshare", "su", "useradd")))
    with reachable("hpcenv-page-") as base:
        can = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", str(base)]
        require("a right to mount", subprocess.run(can, capture_output=True, check=False).returncode == 0)
        python = for_everybody(base)
        shutil.copytree("/etc", base / "etc", symlinks=True, ignore_dangling_symlinks=True)
        script = "\n".join([BEFORE, commands(PAGE.read_text()), AFTER])
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        env |= {"PATH": f"{Path(python).parent}:/usr/sbin:{os.defpath}:/sbin", "BASE": str(base), "HOME": "/root"}
        env |= {"PIP_CONFIG_FILE": os.devnull, "JUPYTER_PLATFORM_DIRS": "0"}
        argv = ["unshare", "--mount", "bash", "-c", script]
        done = subprocess.run(argv, env=env, cwd="/", capture_output=True, text=True, timeout=240)
    said = done.stdout
    assert done.returncode == 0, (said[-3000:], done.stderr[-3000:])
    assert "teaching 2026.11 is built." in said
    assert "teaching 2026.11 was built." in said
    assert "site: 2 as they should be, 0 would be changed, 0 failed." in said
    assert "teaching 2027.02 was built." in said
    assert "2027.02 is held back." in said
    assert "teaching 2027.02 was published. It was held back until now." in said
    assert "People use it" not in said
    assert "teaching 2026.11 stays. Everybody was given it until now." in said
    assert "tools went to the trash." in said
    assert "LINK .versions/teaching/2027.02" in said
    assert "OWNERS hpcbuild \n" in said
    assert "THERE teaching\n" in said
    assert "teaching 2027.02 (until 2099-12-31)" in said
    assert "SEES /srv/jupyter/environments/.versions/teaching/2027.02" in said
