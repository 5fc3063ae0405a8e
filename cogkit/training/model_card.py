"""The numbers of a model card, written from the measured scores and never by hand."""

import json
from pathlib import Path

BEGIN, END = "<!-- scores: written by python -m cogkit evaluate -->", "<!-- end of scores -->"
COLUMNS = ("colour", "shape", "motion", "background", "all")


def scores_tables(scores: dict) -> str:
    """Markdown: what the VAE keeps, and what the judge reads, row by row."""
    lines = ["| VAE, 17 frames at 128x128 | PSNR, dB | linear code of the same size, dB |", "| --- | --- | --- |"]
    vae = scores["vae"]
    for name in ("shapes", "real"):
        lines.append(f"| unseen {name} clips | {vae[name]:.1f} | {vae[f'{name}, linear code']:.1f} |")
    lines += ["", f"| judge's reading | clips | {' | '.join(COLUMNS)} right |", "| --- " * (len(COLUMNS) + 2) + "|"]
    for name, row in scores.items():
        if "clips" in row:
            shares = (f"{row[column]:.1%}" if column in row else "" for column in COLUMNS)
            lines.append(f"| {name} | {row['clips']} | {' | '.join(shares)} |")
    hardest = "1 object, held out pairs"
    if hardest in scores:
        lines += ["", f"What is taken for what ({hardest}):", "", scores[hardest]["confusions"]]
    return "\n".join(lines)


def write_scores(card: Path, scores_file: Path) -> None:
    """Put the tables between the two marks of the card."""
    card.write_text(with_scores(card.read_text(), json.loads(scores_file.read_text())))


def with_scores(text: str, scores: dict) -> str:
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{scores_tables(scores)}\n\n{END}{rest.split(END)[1]}"
