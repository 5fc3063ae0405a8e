"""The rows of recording.json as a page: a table for each size, and the bars."""

import ast
from pathlib import Path

HERE = Path(__file__).parent
LIMIT = 8  # GB; who needs more did not finish

ENTRANTS = {
    "plain": "plain (twice)",
    "cogkit": "cogkit",
    "dense": "dense processor",
    "amd_fast": "attention-map-diffusers 1.0.0, fast",
    "amd_exact": "attention-map-diffusers 1.0.0, exact",
    "nnsight": "nnsight 0.8.1",
}
TITLES = {
    "quick": "Tiny: 262 tokens, 2 heads x 2 layers (shows that it runs; its times mean nothing)",
    "nano": "The shipped nano model: 546 tokens, 4 heads x 6 layers, 4 steps",
    "middle": "4,726 tokens, 4 heads x 4 layers",
    "long": "17,776 tokens, 2 heads x 2 layers",
    "real": "One step of real width and length: the 2B's 30 heads of 64, 17,776 tokens, bf16",
}
INTRO = """# Recording side by side

Written by `python benchmarks/recording.py` from `recording.json`. The task: the attention of every video token on every
word of the prompt, in every layer and step of the conditional branch, mean over heads. All entrants record the same
pipeline call (two guidance branches, latents out, fp32 unless said) of the same seeded weights; each in a process of
its own.

- **time**: recorded over plain, both in one process and in turns; the median, and the range over the rounds. What a
  tool puts off until after the run (fast mode) is counted. **first** is the first recorded run over a plain one.
- **extra**: resident memory at its highest, recorded minus plain; in brackets, what `rec.plan()` had said before the
  run. Scratch that fits under the peak of a plain run does not show. **peak** is the whole process. An entrant that
  needs more than {limit} GB did not finish.
- **drift**: the largest difference between the latents of a recorded and a plain run.
- **error**: the largest difference from dense float64 softmax rows of {samples} queries, as lift (1 is uniform
  attention).
- **lines**: logical lines from a built pipeline to the maps, imports apart: the files `peers/entrant_*.py`.
"""


def report(rows: dict[str, dict]) -> str:
    from_rows = [row for row in rows.values() if "failed" not in row]
    samples = from_rows[0]["samples"] if from_rows else "some"
    parts = [INTRO.format(limit=LIMIT, samples=samples)]
    if from_rows:
        machine = from_rows[0]["machine"]
        parts.append(", ".join(f"{key} {value}" for key, value in machine.items()) + ".\n")
    for size, title in TITLES.items():
        mine = {name.split("/")[1]: row for name, row in rows.items() if name.startswith(f"{size}/")}
        if mine:
            parts += [f"\n## {title}\n", table(mine)]
    return "\n".join([*parts, "\n## Bars\n", *verdicts(rows), ""])


def table(rows: dict[str, dict]) -> str:
    lines = ["| entrant | time | first | extra, MB | peak, GB | drift | error | lines |", "|---|" + "--:|" * 7]
    for entrant, row in rows.items():
        name, size = ENTRANTS[entrant], lines_of_code(entrant)
        if "failed" in row:
            lines.append(f"| {name} | did not finish: {row['failed']} | | | | | | {size} |")
            continue
        span = f"{row['ratio']:.2f}x ({min(row['ratios']):.2f} to {max(row['ratios']):.2f})"
        first = f"{row['first_s'] / row['plain_s']:.2f}x"
        plan = f" ({row['planned_mb']:.0f})" if "planned_mb" in row else ""
        error = f"{row['lift_error']:.1e}" if "lift_error" in row else ""
        lines.append(
            f"| {name} | {span} | {first} | {row['extra_mb']:.0f}{plan} | {row['peak_mb'] / 1024:.2f} "
            f"| {row['drift']:.1g} | {error} | {size} |"
        )
    plain = [row["plain_s"] for row in rows.values() if "failed" not in row]
    if plain:
        lines.append(f"\nA plain run takes {min(plain):.2f} to {max(plain):.2f} s. {depth(rows)}")
    return "\n".join(lines)


def depth(rows: dict[str, dict]) -> str:
    return f"Layers: {next(row['layers'] for row in rows.values() if 'failed' not in row)}."


def verdicts(rows: dict[str, dict]) -> list[str]:
    """Each bar, what was measured, and whether it is met."""
    measured = {tuple(name.split("/")): row for name, row in rows.items() if "failed" not in row}
    mine = {size: row for (size, entrant), row in measured.items() if entrant == "cogkit"}
    rivals = [row for (size, who), row in measured.items() if size == "middle" and who not in ("plain", "cogkit")]
    bars = []
    if mine:
        bars.append(("drift, at every size", max(row["drift"] for row in mine.values()), 0))
    if "middle" in mine:
        noise = abs(measured.get(("middle", "plain"), {"extra_mb": 0})["extra_mb"])  # of plain against plain
        for what, key, most, slack in (("time over plain", "ratio", 1.10, 0), ("extra MB", "extra_mb", 100, noise)):
            bars.append((f"4,726 tokens: {what}", mine["middle"][key], most))
            if rivals:
                best = min(row[key] for row in rivals) + slack
                also = f" and the {slack:.1f} MB between two plain runs" if slack else ""
                bars.append((f"4,726 tokens: {what}, against the cheapest other{also}", mine["middle"][key], best))
    for size, row in mine.items():
        if "planned_mb" in row:  # the plan is kept, but for a tenth and for what two plain runs differ by
            noise = abs(measured.get((size, "plain"), {"extra_mb": 0})["extra_mb"])
            bars.append((f"{size}: extra MB, against the plan", row["extra_mb"], 1.1 * row["planned_mb"] + noise))
    if "long" in mine:
        bars.append(("17,776 tokens: GB in total", mine["long"]["peak_mb"] / 1024, 4))
    if "real" in mine:
        bars.append(("real width: time over plain", mine["real"]["ratio"], 1.10))
    lines = ["| bar | measured | at most | met |", "|---|--:|--:|---|"]
    return lines + [f"| {a} | {got:.3g} | {most:.3g} | {'yes' if got <= most else '**no**'} |" for a, got, most in bars]


def lines_of_code(entrant: str) -> int:
    """Logical lines: statements, without imports and docstrings."""
    tree = ast.parse((HERE / f"entrant_{entrant}.py").read_text())
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    docs = [s for s in statements if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)]
    return len([s for s in statements if not isinstance(s, ast.Import | ast.ImportFrom)]) - len(docs)
