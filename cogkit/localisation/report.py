"""The rows of a study as a page: which recipe finds objects best, how well, and what it does not know."""

from pathlib import Path

import numpy as np

from cogkit.interventions.effects import interval as bootstrap
from cogkit.localisation.ranking import HALF, best_recipe, mean_auc, odd, of_kind, of_pairs, shape_auc
from cogkit.localisation.scoring import MEASURES, SCALES
from cogkit.recording.recipes import PREFERRED, RELATION, Recipe

BEGIN, END = "<!-- results: written by benchmarks/localisation.py -->", "<!-- end of results -->"
BAR = 0.9  # of the AUC for the shape word on single objects
NAMED = [Recipe(scale) for scale in SCALES]


def results(rows: list[dict]) -> str:
    """All tables, in Markdown."""
    generated, noised = of_kind(rows, "generated"), of_kind(rows, "noised")
    pairs = of_pairs(rows)
    best = best_recipe(rows)
    scale = detailed(best)
    parts = [
        f"Measured with the weights `{rows[0]['weights']}` (`cogkit/recording/weights.py`).",
        verdict(rows, best),
        recipe_table("Generated clips, the shape word", generated, best),
        recipe_table("Noised renderings, the shape word", noised, best),
        pairs_table(pairs, best),
        by_call("generated clips", generated, scale),
        by_call("noised renderings", noised, scale),
        controls(generated, noised),
        cuts(noised),
    ]
    return "\n\n".join(part for part in parts if part)


def verdict(rows: list[dict], best: Recipe) -> str:
    """What the default gives, whether that is enough, and what would give more."""
    lines, default = [], PREFERRED[0]
    for kind in ("generated", "noised"):
        held = [row["shape"][str(default)][0] for row in of_kind(rows, kind)]
        if held:
            reached = "reaches" if np.mean(held) >= BAR else "does not reach"
            lines.append(f"- {kind}: the default, *{default}*, {reached} the bar of {BAR}: AUC {interval(held)}.")
    single = of_kind(rows, "generated") + of_kind(rows, "noised")
    unseen = [row for row in single + of_pairs(rows) if odd(row)]
    leading = {f"best of what `{kind}` records": best_recipe(rows, kind) for kind in dict.fromkeys(RELATION.values())}
    leading["best by AUC alone"] = best_recipe(rows, by=mean_auc)
    if unseen:
        first = sorted(leading.items(), key=lambda item: item[1] != best)
        lines += [f"- {what}: `{recipe!r}`, {scored(unseen, recipe)}." for what, recipe in first]
    lines.append(single_head(single))
    every = [row for row in rows if row["kind"] == "generated"]
    wrong = sum(not row["shape right"] for row in every)
    blank = sum("shape" not in row for row in every)
    lines.append(
        f"- of {len(every)} generated clips {blank} show no object (not scored), {wrong} not the shape asked for."
    )
    return "\n".join(lines)


def scored(rows: list[dict], recipe: Recipe) -> str:
    auc = interval([shape_auc(row, str(recipe)) for row in rows])
    half = interval([row["shape"][str(recipe)][HALF] for row in rows if "shape" in row])
    return f"on the odd clips AUC {auc}, IoU at half {half}"


def single_head(rows: list[dict]) -> str:
    """The head that finds objects best on the even clips: its single calls, mean over steps."""
    halves = [[row for row in rows if odd(row) == half] or rows for half in (False, True)]
    found = {}
    for scale in rows[0]["calls"]:
        even, unseen = (np.mean([np.mean(row["calls"][scale], 0) for row in half], 0) for half in halves)
        layer, head = np.unravel_index(even.argmax(), even.shape)
        found[even.max()] = f"layer {layer}, head {head} (*{scale}*), on the odd clips {unseen[layer, head]:.3f}"
    return f"- best single head: {found[max(found)]}."


def recipe_table(title: str, rows: list[dict], best: Recipe) -> str:
    """Per recipe: the four measures, the colour word's AUC, and the AUC for where some other clip's object is."""
    if not rows:
        return ""
    head = ("recipe", "AUC", "IoU, best threshold", "IoU at half of the largest", "pointing game", "colour word's AUC",
            "AUC elsewhere")  # fmt: skip
    lines = [f"**{title}** ({len(rows)} clips, mean and 95 % interval)", "", *header(head)]
    for recipe, label in labelled(best).items():
        name = str(recipe)
        values = [interval([row["shape"][name][k] for row in rows]) for k in range(len(MEASURES))]
        colour = [row["colour"][name][0] for row in rows if name in row["colour"]]
        values += [interval(colour) if colour else "", f"{np.mean([row['elsewhere'][name] for row in rows]):.2f}"]
        lines.append(f"| {label} | {' | '.join(values)} |")
    right = [row for row in rows if row.get("shape right")]
    if "shape right" in rows[0]:
        told = f": AUC {interval([row['shape'][str(PREFERRED[0])][0] for row in right])}" if right else ""
        lines += ["", f"The default on the {len(right)} clips that show the shape asked for{told}."]
    return "\n".join(lines)


def pairs_table(rows: list[dict], best: Recipe) -> str:
    """Two objects: is it the word's own?"""
    if not rows:
        return ""
    title = f"**Two objects, noised renderings** ({len(rows)} clips, both shape words)"
    lines = [title, "", *header(("recipe", "AUC, own object against all else", "AUC, own object against the other"))]
    for recipe, label in labelled(best).items():
        own, apart = (interval([row[what][str(recipe)] for row in rows]) for what in ("auc", "apart"))
        lines.append(f"| {label} | {own} | {apart} |")
    return "\n".join(lines)


def labelled(best: Recipe) -> dict[Recipe, str]:
    """The recipes of the tables with their names and roles: the defaults, the best, and each scale over all calls."""
    recipes = dict.fromkeys([*PREFERRED, best, *NAMED])
    roles = {recipe: f" (default of `{recipe.relation}`)" for recipe in PREFERRED} | {PREFERRED[0]: " (default)"}
    return {recipe: f"{recipe}{roles.get(recipe, '')}{' (best)' * (recipe == best)}" for recipe in recipes}


def by_call(kind: str, rows: list[dict], scale: str) -> str:
    """Single calls: each layer's mean over heads, then each head, at some timesteps; last, the mean over all steps."""
    if not rows:
        return ""
    found, times = call_means(rows, scale), rows[0]["timesteps"]
    some = np.unique(np.linspace(0, len(times) - 1, min(5, len(times))).round().astype(int))
    lines = [f"**One call alone**, *{scale}*, {kind}, AUC ({len(rows)} clips)", ""]
    lines += header(("layer", "head", *(f"timestep {times[step]}" for step in some), "all steps"))
    for layer, calls in enumerate(found.swapaxes(0, 1)):
        for head, by_step in {"mean": calls.mean(1), **dict(enumerate(calls.T))}.items():
            values = (f"{value:.2f}" for value in (*by_step[some], by_step.mean()))
            lines.append(f"| {layer} | {head} | {' | '.join(values)} |")
    return "\n".join(lines)


def controls(*kinds: list[dict]) -> str:
    """Slots that name no object."""
    lines = ["**What should not know the object** (AUC for the object's region)", ""]
    lines += header(("word", "generated", "noised"))
    for name in ("background", "padding", "end mark"):
        values = [interval([row["controls"][name] for row in rows]) if rows else "" for rows in kinds]
        lines.append(f"| {name} | {' | '.join(values)} |")
    return "\n".join(lines)


def cuts(rows: list[dict]) -> str:
    """Faithfulness: the change of x0 where the word was knocked out."""
    if not rows:
        return ""
    cut = [row["cut"] for row in rows]
    ratio, true = ([c[name] / max(np.mean(c["random"]), 1e-12) for c in cut] for name in ("highlighted", "true"))
    wins = [np.mean(c["highlighted"] > np.array(c["random"])) for c in cut]
    return "\n".join(
        [
            f"**Faithfulness** of *{rows[0]['cut by']}* ({len(rows)} noised renderings, the word cut from a region)",
            "",
            *header(("region", "change of x0, times that of a random region (median)", "beats a random region")),
            f"| highlighted | {np.median(ratio):.2f} | {np.mean(wins):.0%} |",
            f"| the object's own | {np.median(true):.2f} | |",
        ]
    )


def detailed(recipe: Recipe) -> str:
    """The scale whose single calls are shown: the recipe's own, or the one next to it that the rows have."""
    return {"lift": "mass", "daam": "share", "concepts qk": "concepts"}.get(recipe.scale, recipe.scale)


def call_means(rows: list[dict], scale: str) -> np.ndarray:
    """AUC of single calls, (step, layer, head): the mean over clips."""
    return np.mean([row["calls"][scale] for row in rows], 0)


def interval(values: list[float]) -> str:
    """Mean, and the bootstrap's 95 % interval of the mean."""
    low, high = bootstrap(np.asarray(values), 0.95) if len(values) > 1 else values * 2
    return f"{np.mean(values):.3f} ({low:.2f} to {high:.2f})"


def header(names) -> list[str]:
    return [f"| {' | '.join(names)} |", "| --- " * len(names) + "|"]


def write_page(page: Path, rows: list[dict]) -> None:
    """Put the results between the two marks of the page."""
    before, rest = page.read_text().split(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{results(rows)}\n\n{END}{rest.split(END)[1]}")
