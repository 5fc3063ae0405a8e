"""The text side of the nano checkpoint: a T5 tokenizer whose pieces are the captions' words, and a small T5 encoder."""

import functools
import io
import math
import string
import tempfile
from collections import Counter

import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from transformers import T5Config, T5EncoderModel, T5Tokenizer

from cogkit.world.captions import caption, every_word
from cogkit.world.scene import sample_scene

UNSEEN_WORD = "\N{REPLACEMENT CHARACTER}"  # becomes <unk>
MAX_TEXT = 226
TABLES = ("shared.weight", "encoder.embed_tokens.weight")  # of a T5 encoder's word vectors: two names of one tensor


def new_tokenizer(captions: int = 5000) -> T5Tokenizer:
    """A Unigram model over whole words, scored by how often captions use them; everything else is `<unk>`.

    Upper case and end marks mean nothing here and are normalised away; a comma is a word.
    """
    counts = word_counts(captions)
    total = sum(counts.values())
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -20.0)]
    pieces += [("," if word == "," else f"▁{word}", math.log(count / total)) for word, count in sorted(counts.items())]
    return T5Tokenizer(
        vocab=pieces, extra_ids=0, model_max_length=MAX_TEXT, _spm_precompiled_charsmap=lower_case_charsmap()
    )


@functools.cache
def word_counts(captions: int) -> Counter[str]:
    counts = Counter(word for k in range(captions) for word in caption(sample_scene(k), k).replace(",", " ,").split())
    counts.update(every_word())  # rare words have been seen at least once
    return counts


def lower_case_charsmap() -> bytes:
    """SentencePiece's compiled table that makes capitals small and end marks blank.

    A normaliser of another kind would be lost: T5Tokenizer reads back nothing but this table.
    """
    rules = [(upper, upper.lower()) for upper in string.ascii_uppercase] + [(mark, " ") for mark in '.!?;:"()']
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as table:
        table.write("".join(f"{ord(source):X}\t{ord(target):X}\n" for source, target in rules))
        table.flush()
        model = io.BytesIO()
        # SentencePiece compiles tables only while it trains, so it is given next to nothing to train on.
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a b c"] * 10),
            model_writer=model,
            vocab_size=20,
            hard_vocab_limit=False,
            normalization_rule_tsv=table.name,
            minloglevel=2,
        )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto.normalizer_spec.precompiled_charsmap


def new_text_encoder(vocabulary: int, width: int = 128, layers: int = 2) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary,
            d_model=width,
            d_kv=32,
            num_heads=width // 32,
            d_ff=2 * width,
            num_layers=layers,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
            is_encoder_decoder=False,
            use_cache=False,
        )
    )


def take_over(
    text_encoder: T5EncoderModel, tokenizer: T5Tokenizer, trained: T5EncoderModel, known: T5Tokenizer
) -> None:
    """Load trained weights, word by word. A word that is new keeps its fresh vector."""
    words = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    new = torch.tensor([word not in known.get_vocab() for word in words])[:, None]
    table = torch.where(new, text_encoder.shared.weight, trained.shared.weight[known.convert_tokens_to_ids(words)])
    text_encoder.load_state_dict(trained.state_dict() | dict.fromkeys(TABLES, table))


def token_ids(tokenizer: T5Tokenizer, prompts: list[str], slots: int) -> torch.Tensor:
    """Padded ids, without a mask: as the pipeline does it, the padding is encoded and attended to."""
    return tokenizer(prompts, padding="max_length", max_length=slots, truncation=True, return_tensors="pt").input_ids
