"""Reading against truth: which attributes are right, over many clips, and what is taken for what."""

from collections import Counter
from dataclasses import dataclass, field

from cogkit.world.judge import Reading
from cogkit.world.scene import Scene

ATTRIBUTES = ("colour", "shape", "motion", "background")


@dataclass
class Scores:
    """Collects verdicts. An object that is missing, or one too many, is wrong in all three of its attributes."""

    right: Counter = field(default_factory=Counter)
    asked: Counter = field(default_factory=Counter)
    confusion: dict[str, Counter] = field(default_factory=lambda: {a: Counter() for a in ATTRIBUTES})
    clips: int = 0
    all_right: int = 0

    def add(self, scene: Scene, reading: Reading, motion: bool = True) -> bool:
        """Compare one clip with its scene (`motion=False` for single frames). True if everything is right."""
        verdicts = [("background", scene.background, reading.background)]
        for thing, seen in _pair_up(scene, reading):
            for attribute in ("colour", "shape", "motion") if motion else ("colour", "shape"):
                verdicts.append((attribute, getattr(thing, attribute, None), getattr(seen, attribute, None)))
        for attribute, wanted, got in verdicts:
            self.asked[attribute] += 1
            self.right[attribute] += wanted == got
            self.confusion[attribute][wanted, got] += 1
        everything = all(wanted == got for _, wanted, got in verdicts)
        self.clips += 1
        self.all_right += everything
        return everything

    def rates(self) -> dict[str, float]:
        """Share right per attribute, and of clips with everything right."""
        rates = {a: self.right[a] / self.asked[a] for a in ATTRIBUTES if self.asked[a]}
        return rates | {"all": self.all_right / max(1, self.clips)}

    def confusions(self) -> str:
        """The wrong answers as a table in Markdown, most frequent first."""
        rows = [
            (count, f"| {attribute} | {wanted or 'nothing'} | {got or 'nothing'} | {count} |")
            for attribute, pairs in self.confusion.items()
            for (wanted, got), count in pairs.items()
            if wanted != got
        ]
        lines = [row for _, row in sorted(rows, key=lambda r: -r[0])]
        return "\n".join(["| attribute | asked | seen | clips |", "| --- | --- | --- | --- |", *lines])


def _pair_up(scene: Scene, reading: Reading):
    """Match what was asked with what was seen, by colour first, then by size; None where a side lacks a partner."""
    seen = list(reading.things)
    pairs, unmatched = [], []
    for thing in scene.things:
        match = next((s for s in seen if s.colour == thing.colour), None)
        if match:
            seen.remove(match)
            pairs.append((thing, match))
        else:
            unmatched.append(thing)
    pairs += [(thing, seen.pop(0) if seen else None) for thing in unmatched]
    return pairs + [(None, extra) for extra in seen]
