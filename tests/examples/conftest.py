"""The recipes and experiments need the extra [mini]; without it their tests are left out."""

from importlib.util import find_spec

collect_ignore_glob = []
if not all(map(find_spec, ("resvg_py", "skimage", "tokenizers"))):
    collect_ignore_glob += ["recipes/*", "experiments/*"]
