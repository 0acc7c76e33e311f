"""Find what is wrong with environments and with the account they live in. Nothing is started and nothing is changed.

What a finding's fix does is done by whoever asked, with the verbs that there are; only what has no verb, a kernelspec
of another tool that leads nowhere, is put aside here, from where it can come back.
"""

from .account import Stray, examine_account
from .aside import put_aside, put_back
from .environment import examine
from .finding import Finding
from .machine import Machine

__all__ = ["Finding", "Machine", "Stray", "examine", "examine_account", "put_aside", "put_back"]
