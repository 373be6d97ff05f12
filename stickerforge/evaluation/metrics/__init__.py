"""The metrics, each declared beside its computation.

Every module of this folder is imported here, and thereby declares its metrics; a report lists them
in that order. So a new metric is one more function in a module of this folder, or one more module.
"""

from importlib import import_module
from pkgutil import iter_modules

ORDER = (
    "alignment",
    "prompt_claims",
    "similarity",
    "rewards",
    "lpips",
    "cutout",
    "file",
    "diversity",
    "distances",
)  # in reports; what is not named here comes after them, by its name

for module in sorted(
    (info.name for info in iter_modules(__path__)),
    key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name),
):
    import_module(f"{__name__}.{module}")
