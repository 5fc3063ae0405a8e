"""The command line: python -m cogkit generate | train | export | evaluate."""

import argparse
import re
import sys
import time
import warnings
from pathlib import Path

RECIPES = Path(__file__).parent / "training" / "configs"


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. What a user can put right is answered with one sentence and exit code 2."""
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except ValueError as error:  # every refusal of cogkit is one
        if not type(error).__module__.startswith("cogkit."):
            raise
        print(f"cogkit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ncogkit: stopped; nothing half-written is left", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cogkit", description="CogVideoX, taken apart.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="generate | train | export | evaluate")

    generate = verbs.add_parser("generate", help="prompt -> video, every step recorded, as a folder with a page")
    generate.add_argument("prompt")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--frames", type=int, default=17, help="8k+1 (default 17)")
    generate.add_argument("--height", type=int, default=128, help="a multiple of 16 (default 128)")
    generate.add_argument("--width", type=int, default=128, help="a multiple of 16 (default 128)")
    generate.add_argument("--steps", type=int, default=20, help="a divisor of 1000 (default 20)")
    generate.add_argument("--guidance", type=float, default=6.0)
    generate.add_argument("--negative-prompt", default="")
    generate.add_argument("--sampler", default="own", help="own (the checkpoint's, the default), ddim or dpm")
    generate.add_argument("--dynamic-guidance", default="off", help='off (default), "as released" or "as intended"')
    generate.add_argument("--checkpoint", default="nano", help="nano, a pipeline folder or a hub id")
    generate.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="auto")
    generate.add_argument("--out", type=Path, help="default: outputs/PROMPT-seed-N")
    generate.set_defaults(run=_generate)

    train = verbs.add_parser("train", help="train a part of the nano checkpoint; resumes where it was stopped")
    train.add_argument("part", choices=["vae", "text", "transformer"])
    train.add_argument("--config", type=Path, help="a TOML file (default: the kit's own recipe)")
    train.add_argument("--folder", type=Path, help="where the run lives (default: runs/PART)")
    train.add_argument("--vae", type=Path, default=Path("runs/vae"), help="transformer: a VAE run or a pipeline")
    train.add_argument(
        "--text", type=Path, help="transformer: a text run or a pipeline, kept as is (default: a fresh one)"
    )
    train.set_defaults(run=_train)

    export = verbs.add_parser("export", help="two finished runs -> a stock diffusers pipeline folder")
    export.add_argument("--vae", type=Path, default=Path("runs/vae"))
    export.add_argument("--transformer", type=Path, default=Path("runs/transformer"))
    export.add_argument("--out", type=Path, default=Path("data/nano"))
    export.set_defaults(run=_export)

    evaluate = verbs.add_parser("evaluate", help="measure a checkpoint: PSNR and what the judge reads, as JSON")
    evaluate.add_argument("--checkpoint", default="nano")
    evaluate.add_argument("--prompts", type=int, default=200, help="videos per table row (default 200)")
    evaluate.add_argument("--guidance", type=float, nargs="+", default=[1.0, 3.0, 6.0, 9.0])
    evaluate.add_argument("--out", type=Path, default=Path("outputs/evaluation.json"))
    evaluate.add_argument("--card", type=Path, help="a model card whose tables are to be written")
    evaluate.set_defaults(run=_evaluate)
    return parser


def _generate(chosen) -> None:
    from cogkit.checkpoints import load
    from cogkit.generation import Settings, check_settings, estimate_seconds, generate
    from cogkit.page import check_output, write_run
    from cogkit.prompts import UnknownWords
    from cogkit.report import estimate_report_seconds, looks

    settings = Settings(
        chosen.prompt,
        chosen.negative_prompt,
        chosen.seed,
        chosen.frames,
        chosen.height,
        chosen.width,
        chosen.steps,
        chosen.guidance,
        chosen.sampler,
        chosen.dynamic_guidance,
    )
    slug = re.sub(r"[^a-z0-9]+", "-", chosen.prompt.lower()).strip("-")[:60]
    folder = chosen.out or Path("outputs") / f"{slug}-seed-{chosen.seed}"
    check_output(folder)
    pipe = load(chosen.checkpoint, chosen.dtype if chosen.dtype == "auto" else _dtype(chosen.dtype))
    warnings.simplefilter("ignore", UnknownWords)  # they are printed below
    unknown = check_settings(pipe, settings)
    print(f"prompt   {settings.prompt}")
    if unknown:
        print(f"warning  the text encoder has never seen: {', '.join(unknown)}")
    size = f"{settings.frames} frames of {settings.height}x{settings.width}"
    steps = f"{settings.steps} steps" + (f" of {settings.sampler}" if settings.sampler != "own" else "")
    rising = f" rising {settings.dynamic_guidance}" if settings.dynamic_guidance != "off" else ""
    print(f"video    {size}, {steps}, guidance {settings.guidance}{rising}, seed {settings.seed}")
    pipe.set_progress_bar_config(disable=True)
    selectors = looks(pipe, settings)
    seconds = estimate_seconds(pipe, settings, *selectors), estimate_report_seconds()
    print(
        f"time     about {seconds[0]:.0f} seconds on this machine, in {_name(pipe.dtype)}, "
        f"and {seconds[1]:.0f} to draw the report",
        flush=True,
    )
    pipe.set_progress_bar_config(desc="sampling")
    generation = generate(pipe, settings, *selectors)
    since = time.monotonic()
    page = write_run(folder, generation, pipe)
    print(f"done     {generation.seconds:.1f} seconds, report {time.monotonic() - since:.1f}; open {page}")


def _train(chosen) -> None:
    from tqdm.auto import tqdm

    from cogkit.training.config import ConfigError, read_config
    from cogkit.training.loop import train

    recipe = chosen.config or RECIPES / f"{chosen.part}.toml"
    config = read_config(recipe)
    if config.part != chosen.part:
        raise ConfigError(f"{recipe} is a recipe for the {config.part}, not for the {chosen.part}")
    folder = chosen.folder or Path("runs") / chosen.part
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(recipe.read_text())  # a run says what made it
    if chosen.part == "vae":
        from cogkit.training.vae import VAETask

        task = VAETask(config, fresh=not (folder / "checkpoint.pt").exists())
    elif chosen.part == "text":
        from cogkit.training.text_task import TextTask

        task = TextTask(config)
    else:
        from cogkit.training.export import copy_history, trained_text, trained_vae
        from cogkit.training.transformer import TransformerTask

        text = None
        if chosen.text:
            text = trained_text(chosen.text)
            text[0].save_pretrained(folder / "tokenizer")
            copy_history("text", chosen.text, folder)
        task = TransformerTask(config, folder, trained_vae(chosen.vae), text)
    with tqdm(total=config.steps, mininterval=2, desc=f"training the {chosen.part}") as bar:
        for progress in train(task, config, folder):
            bar.update(progress.step - bar.n)
            bar.set_postfix({name: f"{value:.3g}" for name, value in progress.notes.items()}, refresh=False)


def _export(chosen) -> None:
    from cogkit.training.export import export_pipeline

    export_pipeline(chosen.vae, chosen.transformer, chosen.out)
    print(f"wrote {chosen.out}")


def _evaluate(chosen) -> None:
    from cogkit.training.evaluation import evaluate
    from cogkit.training.model_card import write_scores

    evaluate(chosen.checkpoint, chosen.prompts, chosen.guidance, chosen.out)
    if chosen.card:
        write_scores(chosen.card, chosen.out)


def _dtype(name: str):
    import torch

    return getattr(torch, name)


def _name(dtype) -> str:
    return str(dtype).removeprefix("torch.")


if __name__ == "__main__":
    sys.exit(main())
