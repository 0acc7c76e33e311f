"""Set a site up by questions: look what there is, ask, write configuration, samples and modulefiles, and check them.

Nothing here is needed to use environments. Staff come here once, and again when something is wrong.
"""

from .answers import Answers, Place, read_answers
from .asking import Prompt, ask
from .checking import look
from .detected import Detected, detect
from .fault import Fault
from .judging import check
from .lockouts import beside
from .own import ALL, Offer, OwnAnswers, ask_own, own_file, read_own
from .profiles import PROFILES, propose
from .writing import CONFIGURATION, Written, notes, plan, variables, write

__all__ = [
    "ALL",
    "CONFIGURATION",
    "PROFILES",
    "Answers",
    "Detected",
    "Fault",
    "Offer",
    "OwnAnswers",
    "Place",
    "Prompt",
    "Written",
    "ask",
    "ask_own",
    "beside",
    "check",
    "detect",
    "look",
    "notes",
    "own_file",
    "plan",
    "propose",
    "read_answers",
    "read_own",
    "variables",
    "write",
]
