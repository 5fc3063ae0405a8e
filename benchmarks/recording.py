"""Recording side by side: every word's map of one prompt, by cogkit and by the others, on the same seeded models.

    python benchmarks/recording.py            # everything, on an idle machine; a quarter of an hour
    python benchmarks/recording.py --quick    # a tiny model, a minute: do all entrants run and agree?

Rows are kept in results/recording.json as they come; a run that was cut short goes on where it stopped, `--redo` starts
anew. results/recording.md is written from that file. The other tools are installed in outputs/peers on the first run.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from peers.report import ENTRANTS, LIMIT, report
from side_by_side import IDLE, busy

HERE = Path(__file__).parent
ROOT = HERE.parent
VENV = ROOT / "outputs" / "peers"

PEERS = ("amd_fast", "amd_exact", "nnsight")
EVERY = [(size, entrant) for size in ("nano", "middle", "long") for entrant in ENTRANTS] + [("real", "cogkit")]
QUICK = [("quick", entrant) for entrant in ENTRANTS]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--redo", action="store_true", help="measure every row again")
    arguments.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    arguments.add_argument("--only", help="rows whose name starts so, such as middle/ or middle/cogkit; implies --redo")
    arguments.add_argument("--layers", type=int, help="of the real-width model; as many as memory and patience allow")
    given = arguments.parse_args()
    if not (given.quick or given.busy) and (others := busy()) > IDLE:
        sys.exit(f"the processors are {others:.0f} % busy; above {IDLE} ratios are worth nothing. Wait, or --busy")
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
        install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
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


def brief(row: dict) -> str:
    if "failed" in row:
        return f"did not finish: {row['failed']}"
    return f"{row['ratio']:.2f}x, +{row['extra_mb']:.0f} MB, drift {row['drift']:.1g}, {row['took_s']:.0f} s"


if __name__ == "__main__":
    main()
