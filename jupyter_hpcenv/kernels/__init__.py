"""Make an environment's Python a kernel: derive, launch, prove, publish, and see what runs.

Nothing here imports the messaging libraries before a kernel is proven.
"""

from .facts import derive
from .kernelspec import publish, published, unpublish
from .languages import kernels_of_languages
from .launch import rehearse_launch, render_launch, samples, write_launch
from .live import running, running_kernels
from .preflight import prove, warm
from .used import checked, publish_used, write_start

__all__ = [
    "checked",
    "derive",
    "kernels_of_languages",
    "prove",
    "publish",
    "publish_used",
    "published",
    "rehearse_launch",
    "render_launch",
    "running",
    "running_kernels",
    "samples",
    "unpublish",
    "warm",
    "write_launch",
    "write_start",
]
