"""Do word maps show where the object is? Measures every recipe, layer, head and step, and writes docs/localisation.md.

.venv/bin/python benchmarks/localisation.py [--clips 100] [--checkpoint nano] [--rows outputs/localisation.jsonl]

Ten to twenty minutes on two idle cores. Stop it whenever you like: rows that are there are not measured again, and
the same command goes on. `--clips 2 --pairs 1 --page outputs/localisation.md` only shows that it runs.
"""

import argparse
import shutil
from pathlib import Path

import torch

from cogkit.checkpoints import load
from cogkit.localisation.ranking import best_recipe, of_kind
from cogkit.localisation.report import BAR, NAMED, PREFERRED, call_means, detailed, write_page
from cogkit.localisation.study import study
from cogkit.plots.localisation import localisation_figure

PAGE = Path(__file__).parents[1] / "docs" / "localisation.md"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--clips", type=int, default=100, help="generated, and as many noised renderings")
    arguments.add_argument("--pairs", type=int, default=40, help="noised renderings of two objects")
    arguments.add_argument("--checkpoint", default="nano")
    arguments.add_argument("--rows", type=Path, default=Path("outputs/localisation.jsonl"))
    arguments.add_argument(
        "--page", type=Path, default=PAGE, help="its results are replaced, and the picture beside it"
    )
    chosen = arguments.parse_args()
    if chosen.clips < 1:
        arguments.error(f"--clips {chosen.clips} measures nothing; 100 is the default, 1 the least")
    pipe = load(chosen.checkpoint, torch.float32)  # on every machine: rows belong to weights, and bf16 rounds them
    pipe.set_progress_bar_config(disable=True)
    rows = study(pipe, chosen.clips, chosen.pairs, chosen.rows)
    if not chosen.page.exists():
        chosen.page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PAGE, chosen.page)
    write_page(chosen.page, rows)
    kinds = {kind: of_kind(rows, kind) for kind in ("generated", "noised")}
    kinds = {kind: some for kind, some in kinds.items() if some}
    best = best_recipe(rows)
    scale = detailed(best)
    recipes = dict.fromkeys([PREFERRED[0], best, *NAMED])
    figure = localisation_figure(
        {f"{kind}: {scale}": (some[0]["timesteps"], call_means(some, scale)) for kind, some in kinds.items()},
        {str(recipe): [row["shape"][str(recipe)][0] for row in next(iter(kinds.values()))] for recipe in recipes},
        BAR,
    )
    figure.savefig(chosen.page.with_suffix(".png"), dpi=100, metadata={"Software": None})
    print(f"wrote {chosen.page} and {chosen.page.with_suffix('.png').name}; the best recipe is {best!r}")


if __name__ == "__main__":
    main()
