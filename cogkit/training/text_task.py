"""Training the text encoder before anything is painted, as the T5 of the released models is trained before them."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from cogkit.checkpoints import load
from cogkit.training.binding import sentences, word_loss, word_score
from cogkit.training.config import Config
from cogkit.training.text import new_text_encoder, new_tokenizer, take_over, token_ids

SENTENCES = 64  # in a step
ASKED = 400  # in a validation
BIAS_SHARE = 30.0  # of the learning rate: which word is near which is all there is to find; with 1 it takes ages
KEEP = 0.3  # what a transformer already reads from the vectors is to stay


class TextTask:
    """Words that know their things. With `start`, the vectors stay near those of that pipeline's encoder."""

    def __init__(self, config: Config):
        torch.manual_seed(config.seed)
        self.config = config
        self.tokenizer = new_tokenizer()
        text_encoder = new_text_encoder(len(self.tokenizer))
        self.before = None
        if config.start:
            pipe = load(config.start, torch.float32)
            take_over(text_encoder, self.tokenizer, pipe.text_encoder, pipe.tokenizer)
            self.before = copy.deepcopy(text_encoder).requires_grad_(False)
        self.model = nn.ModuleDict({"text_encoder": text_encoder, "whose": nn.Linear(text_encoder.config.d_model, 3)})

    def optimisers(self) -> list[torch.optim.Optimizer]:
        biases, others = [], []
        for name, parameter in self.model.named_parameters():
            (biases if "relative_attention_bias" in name else others).append(parameter)
        groups = [{"params": others}, {"params": biases, "share": BIAS_SHARE}]
        return [torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=self.config.weight_decay)]

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        dice = np.random.default_rng((self.config.seed, step))
        slots = int(dice.choice(self.config.stage_at(step).text_slots))
        asked = sentences(dice, SENTENCES, slots)
        ids = token_ids(self.tokenizer, asked.prompts, slots)
        vectors = self.model["text_encoder"](ids)[0]
        loss = word_loss(self.model["whose"], vectors, asked)
        notes = {"binding": float(loss.detach())}
        if self.before is not None:
            with torch.no_grad():
                known = self.before(ids)[0]
            moved = (vectors - known).square().mean() / known.var()
            loss, notes["moved"] = loss + KEEP * moved, float(moved.detach())
        return loss, notes

    def validate(self, model: nn.Module) -> dict[str, float]:
        """The share of words that know which thing they speak of; pairs of training, and held out."""
        scores = {}
        for slots in sorted({slots for stage in self.config.stages for slots in stage.text_slots}):
            for pairs in ("training", "held out"):
                asked = sentences(np.random.default_rng(0), ASKED, slots, pairs)
                scores[f"whose, {slots} slots, {pairs}"] = word_score(model, self.tokenizer, asked)
        return scores
