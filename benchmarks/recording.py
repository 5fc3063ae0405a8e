"""Recording side by side: every word's map of one prompt, by cogkit and by the others, on the same seeded models.

    python benchmarks/recording.py            # everything, on an idle machine; a quarter of an hour
    python benchmarks/recording.py --quick    # a tiny model, a minute: do all entrants run and agree?

Rows are kept in results/recording.json as they come; a run that was cut short goes on where it stopped, `--redo` starts
anew. results/recording.md is written from that file. The other tools are installed in outputs/peers on the first run.
"""

import argparse
import ast
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
VENV = ROOT / "outputs" / "peers"
LIMIT = 8  # GB; who needs more did not finish
IDLE = 0.3

ENTRANTS = {
    "plain": "plain (twice)",
    "cogkit": "cogkit",
    "dense": "dense processor",
    "amd_fast": "attention-map-diffusers 1.0.0, fast",
    "amd_exact": "attention-map-diffusers 1.0.0, exact",
    "nnsight": "nnsight 0.8.1",
}
PEERS = ("amd_fast", "amd_exact", "nnsight")
EVERY = [(size, entrant) for size in ("nano", "middle", "long") for entrant in ENTRANTS] + [("real", "cogkit")]
QUICK = [("quick", entrant) for entrant in ENTRANTS]

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

- **time**: recorded over plain, both in one process and in turns; the median, and the range over the rounds. What a tool
  puts off until after the run (fast mode) is counted. **first** is the first recorded run over a plain one.
- **extra**: resident memory at its highest, recorded minus plain. **peak** is the whole process. More than {limit} GB: did
  not finish.
- **drift**: the largest difference between the latents of a recorded and a plain run.
- **error**: the largest difference from dense float64 softmax rows of {samples} queries, as lift (1 is uniform attention).
- **lines**: logical lines from a built pipeline to the maps, imports apart: the files `peers/entrant_*.py`.
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--redo", action="store_true", help="measure every row again")
    arguments.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    arguments.add_argument("--only", help="rows whose name starts so, such as middle/ or middle/cogkit; implies --redo")
    arguments.add_argument("--layers", type=int, help="of the real-width model; as many as memory and patience allow")
    given = arguments.parse_args()
    if os.getloadavg()[0] > IDLE and not (given.quick or given.busy):
        sys.exit(f"the load is {os.getloadavg()[0]:.2f}; above {IDLE} ratios are worth nothing. Wait, or --busy")
    folder = ROOT / "outputs" if given.quick else HERE / "results"
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / "recording.json"
    rows = json.loads(kept.read_text()) if kept.exists() and not (given.redo or given.quick) else {}
    todo = [pair for pair in (QUICK if given.quick else EVERY) if "/".join(pair).startswith(given.only or "")]
    for number, (size, entrant) in enumerate(todo, 1):
        name = f"{size}/{entrant}"
        if name in rows and not given.only:
            continue
        print(f"[{number}/{len(todo)}] {name:18}", end="", flush=True)
        rows[name] = measured(size, entrant, given.layers)
        kept.write_text(json.dumps(rows, indent=1) + "\n")
        print(brief(rows[name]), flush=True)
    (folder / "recording.md").write_text(report(rows))
    print(f"{sum(row['took_s'] for row in rows.values()) / 60:.1f} minutes of measuring; {folder / 'recording.md'}")


def measured(size: str, entrant: str, layers: int | None) -> dict:
    """A row; one that could not be had says why."""
    since, python = time.perf_counter(), sys.executable
    if entrant in PEERS:
        python, problem = peers()
        if problem:
            return {"failed": problem, "took_s": time.perf_counter() - since}
    command = [python, HERE / "peers" / "measure.py", entrant, size]
    command += ["--layers", str(layers)] if layers and size == "real" else []
    command += [] if size == "real" else ["--limit", str(LIMIT)]
    threads = {"OMP_NUM_THREADS": str(os.cpu_count())} | dict(os.environ)
    env = threads | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        found = {"failed": f"the process ended with {done.returncode}: {last[:200]}"}
    else:
        found = json.loads(done.stdout.splitlines()[-1])
    return found | {"took_s": time.perf_counter() - since}


def peers() -> tuple[Path, str | None]:
    """The Python of the peers' own environment, made on first use; and what went wrong."""
    python, ready = VENV / "bin" / "python", VENV / "ready"
    if not ready.exists():
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
        for command in (
            [sys.executable, "-m", "venv", VENV],
            [*install, "-r", HERE / "peers" / "requirements.txt"],
            # without torchvision, which it needs for PNG files only and which would have to match torch's own build
            [*install, "--no-deps", "attention-map-diffusers==1.0.0"],
        ):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                return python, f"could not be installed: {done.stderr.strip().splitlines()[-1][:200]}"
        ready.touch()
    return python, None


def lines_of_code(entrant: str) -> int:
    """Logical lines: statements, without imports and docstrings."""
    tree = ast.parse((HERE / "peers" / f"entrant_{entrant}.py").read_text())
    statements = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    docs = [s for s in statements if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)]
    return len([s for s in statements if not isinstance(s, ast.Import | ast.ImportFrom)]) - len(docs)


def brief(row: dict) -> str:
    if "failed" in row:
        return f"did not finish: {row['failed']}"
    return f"{row['ratio']:.2f}x, +{row['extra_mb']:.0f} MB, drift {row['drift']:.1g}, {row['took_s']:.0f} s"


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
    lines = ["| entrant | time | first | extra, MB | peak, GB | drift | error | lines |", "|---|--:|--:|--:|--:|--:|--:|--:|"]
    for entrant, row in rows.items():
        if "failed" in row:
            lines.append(f"| {ENTRANTS[entrant]} | did not finish: {row['failed']} | | | | | | {lines_of_code(entrant)} |")
            continue
        span = f"{row['ratio']:.2f}x ({min(row['ratios']):.2f} to {max(row['ratios']):.2f})"
        first = f"{row['first_s'] / row['plain_s']:.2f}x"
        error = f"{row['lift_error']:.1e}" if "lift_error" in row else ""
        lines.append(
            f"| {ENTRANTS[entrant]} | {span} | {first} | {row['extra_mb']:.0f} | {row['peak_mb'] / 1024:.2f} "
            f"| {row['drift']:.1g} | {error} | {lines_of_code(entrant)} |"
        )
    plain = [row["plain_s"] for row in rows.values() if "failed" not in row]
    if plain:
        lines.append(f"\nA plain run takes {min(plain):.2f} to {max(plain):.2f} s. {depth(rows)}")
    return "\n".join(lines)


def depth(rows: dict[str, dict]) -> str:
    return f"Layers: {next(row['layers'] for row in rows.values() if 'failed' not in row)}."


def verdicts(rows: dict[str, dict]) -> list[str]:
    """Each bar, what was measured, and whether it is met."""
    mine = {name.split("/")[0]: row for name, row in rows.items() if name.endswith("/cogkit") and "failed" not in row}
    rivals = [row for name, row in rows.items() if name.startswith("middle/") and name.split("/")[1] not in ("plain", "cogkit")]
    rivals = [row for row in rivals if "failed" not in row]
    bars = [("drift is 0 at every size", max(row["drift"] for row in mine.values()), 0.0)] if mine else []
    if "middle" in mine:
        bars.append(("4,726 tokens: time over plain", mine["middle"]["ratio"], 1.10))
        bars.append(("4,726 tokens: extra MB", mine["middle"]["extra_mb"], 100))
        if rivals:
            bars.append(("4,726 tokens: time, against the cheapest other", mine["middle"]["ratio"], min(r["ratio"] for r in rivals)))
            bars.append(("4,726 tokens: extra MB, against the cheapest other", mine["middle"]["extra_mb"], min(r["extra_mb"] for r in rivals)))
    if "long" in mine:
        bars.append(("17,776 tokens: GB in total", mine["long"]["peak_mb"] / 1024, 4))
    if "real" in mine:
        bars.append(("real width: time over plain", mine["real"]["ratio"], 1.10))
    lines = ["| bar | measured | at most | met |", "|---|--:|--:|---|"]
    return lines + [f"| {what} | {got:.3g} | {most:.3g} | {'yes' if got <= most else '**no**'} |" for what, got, most in bars]


if __name__ == "__main__":
    main()
