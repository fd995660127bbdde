"""Put the verdicts of a run into the page on its suite.

randtensor verify weak-correlations --out results
python -m docs.update_tables results/results.json docs/weak_correlations.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks._markers import rewrite


def table(record: dict, run: dict) -> str:
    """The results as a Markdown table, with the line that says how they were made."""
    rows = ["| id | claim | predicted | measured | sizes | verdict |", "|---|---|---|---|---|---|"]
    for result in record["results"]:
        sizes = [size for m in result["measurements"] for size in list(m["sizes"].values())[:1]]
        verdict = result["verdict"] + (", as expected" if result["expect"] == result["verdict"] == "refuted" else "")
        cells = (
            result["id"],
            result["name"].replace("|", "\\|"),
            f"{result['statistic']}: {result['predicted']}",
            measured(result),
            f"{min(sizes)}..{max(sizes)}" if sizes else "",
            verdict,
        )
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    made = f"Seed {record['seed']}, {run['seconds']:.0f} s on two cores; {versions}."
    return "\n".join([*rows, "", made])


def measured(result: dict) -> str:
    """The number behind a verdict."""
    if result["measure"] == "exponent":
        low, high = result["interval"]
        return f"{result['measured']:.3f} [{low:.3f}, {high:.3f}]"
    if result["p_value"] is not None:
        return f"p = {result['p_value']:.2g}"
    return f"{result['measured']:.2g}" if result["measured"] is not None else ""


def main(record: str, page: str) -> None:
    """Replace what stands between the markers of the page."""
    path, source = Path(page), Path(record)
    run = json.loads(source.with_name("run.json").read_text())
    path.write_text(rewrite(path.read_text(), "results", table(json.loads(source.read_text()), run)))


if __name__ == "__main__":
    main(*sys.argv[1:3])
