"""The tables of RESULTS.md, from what `alpha.run` wrote.

python -m examples.experiments.alpha.results OUT      reconstruction.json and drawn.json
"""

import argparse
import json
from pathlib import Path

from examples.experiments.alpha import drawn, reconstruction

TABLES = {"reconstruction": reconstruction.table, "drawn": drawn.table}


def result_tables(folder: Path) -> list[str]:
    """The lines of all tables of a folder, each under the name of its file."""
    lines: list[str] = []
    for name, table in TABLES.items():
        path = folder / f"{name}.json"
        if path.exists():
            lines += [f"{path.name}:", "", *table(json.loads(path.read_text())), ""]
    return lines


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path)
    folder = parser.parse_args().out
    print("\n".join(result_tables(folder) or [f"{folder} holds no results"]))


if __name__ == "__main__":
    main()
