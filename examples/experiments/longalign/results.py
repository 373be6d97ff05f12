"""The tables of RESULTS.md, from what `longalign.run` wrote.

python -m examples.experiments.longalign.results OUT [OUT …]     retrieval.json, family.json and
                                                                 reward.json, those that are there
"""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from examples.experiments.longalign import cost, long_family, retrieval, reward_arms

TABLES: dict[str, Callable[[Mapping[str, Any]], list[str]]] = {
    "retrieval": retrieval.table,
    "family": long_family.table,
    "reward": reward_arms.table,
    "cost": cost.table,
}


def result_tables(folder: Path) -> list[str]:
    """The lines of all tables of a folder, each under the name of its file."""
    lines: list[str] = []
    for name, table in TABLES.items():
        path = folder / f"{name}.json"
        if path.exists():
            record = json.loads(path.read_text())
            lines += [f"{path.name} ({record['seconds']} s):", "", *table(record), ""]
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, nargs="+")
    for folder in parser.parse_args().out:
        print("\n".join(result_tables(folder) or [f"{folder} holds no results"]))


if __name__ == "__main__":
    main()
