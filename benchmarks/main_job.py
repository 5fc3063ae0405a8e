"""How long the main job takes and how much memory it needs: loading, the default clip, and bf16 against fp32.

    .venv/bin/python benchmarks/main_job.py

Run it on an idle machine. Every arm is a process of its own; arms alternate, and the ratio comes from the same run.
"""

import importlib
import json
import resource
import subprocess
import sys
import time

PROMPT = "a yellow star moving right on a gray background"
ROUNDS = 3


def arm(dtype: str) -> dict[str, float]:
    import torch

    from cogkit.checkpoints import load
    from cogkit.generation import Settings, generate

    importlib.import_module("transformers.models.t5.modeling_t5")  # imports are not part of loading

    since = time.monotonic()
    pipe = load("nano", getattr(torch, dtype))
    loading = time.monotonic() - since
    pipe.set_progress_bar_config(disable=True)
    generation = generate(pipe, Settings(PROMPT))
    frames = generation.frames.astype(int)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    return {
        "load, s": loading,
        "generate, s": generation.seconds,
        "peak memory, GB": peak,
        "frames": frames[:, ::16, ::16].tolist(),
    }


def main():
    arms = {"float32": [], "bfloat16": []}
    for _ in range(ROUNDS):
        for dtype, runs in arms.items():
            out = subprocess.run([sys.executable, __file__, dtype], capture_output=True, text=True, check=True).stdout
            runs.append(json.loads(out.splitlines()[-1]))
    for dtype, runs in arms.items():
        assert all(run["frames"] == runs[0]["frames"] for run in runs), f"{dtype}: the same seed gave two videos"
        medians = {key: sorted(run[key] for run in runs)[ROUNDS // 2] for key in runs[0] if key != "frames"}
        print(f"{dtype}: " + ", ".join(f"{key} {value:.2f}" for key, value in medians.items()))
    ratios = sorted(b["generate, s"] / a["generate, s"] for a, b in zip(arms["float32"], arms["bfloat16"], strict=True))
    rounds = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"bfloat16 takes {ratios[ROUNDS // 2]:.2f} of the time of float32 (rounds: {rounds})")


if __name__ == "__main__":
    print(json.dumps(arm(sys.argv[1]))) if len(sys.argv) > 1 else main()
