import pytest

from cogkit.recording.tokens import UnknownWord, text_slots


@pytest.fixture(scope="module")
def slots(pipe):
    return text_slots(pipe.tokenizer, "a Red circle, moving right, red", 12)


def test_every_slot_is_prompt_end_mark_or_padding(slots):
    assert slots.pieces[:4] == ("▁a", "▁red", "▁circle", ",")
    assert slots.groups == {"prompt": list(range(8)), "eos": [8], "pad": [9, 10, 11]}


def test_a_word_has_all_its_slots_and_punctuation_has_none(slots):
    assert slots.words() == ["a", "red", "circle", "moving", "right"]
    assert slots.slots("red") == [1, 7] and slots.slots("Red") == [1, 7]
    assert slots.slots("circle") == [2]


def test_one_time_of_a_word_and_a_phrase_can_be_chosen(slots):
    assert slots.slots("red#2") == [7]
    assert slots.slots("red circle") == [1, 2]
    with pytest.raises(UnknownWord, match="'red' occurs 2 times in the prompt; count from #1"):
        slots.slots("red#3")


def test_a_word_of_several_pieces_is_all_of_them():
    class Pieces:  # the released T5 cuts rare words up
        eos_token_id, pad_token_id = 1, 0
        table = {"</s>": 1, "<pad>": 0, "▁a": 2, "▁un": 3, "i": 4, "corn": 5, "▁corn": 6, ".": 7}

        def __call__(self, text, padding=None, max_length=None, **_):
            ids = {"a unicorn.": [2, 3, 4, 5, 7, 1], "unicorn": [3, 4, 5, 1], "corn": [6, 1], "uni": [3, 4, 1]}[text]
            return type("Encoding", (), {"input_ids": ids + [0] * ((max_length or 0) - len(ids))})

        def convert_ids_to_tokens(self, ids):
            return [{number: piece for piece, number in self.table.items()}[number] for number in ids]

    slots = text_slots(Pieces(), "a unicorn.", 8)
    assert slots.slots("unicorn") == [1, 2, 3]
    for part in ("corn", "uni"):
        with pytest.raises(UnknownWord, match=f"no word '{part}'; nearest: unicorn"):
            slots.slots(part)


def test_the_slots_are_those_that_the_pipeline_feeds(pipe):
    fed = {}
    handle = pipe.text_encoder.register_forward_pre_hook(lambda module, args: fed.update(ids=args[0]))
    pipe.encode_prompt("a red circle", max_sequence_length=12, do_classifier_free_guidance=False)
    handle.remove()
    assert tuple(fed["ids"][0].tolist()) == text_slots(pipe.tokenizer, "a red circle", 12).ids
