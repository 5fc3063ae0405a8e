import torch
from torch import nn

from cogkit.vae.stream import Stream


def frames(*values):
    return torch.tensor(values, dtype=torch.float32).reshape(1, 1, -1, 1, 1)


def seen(stream, conv, *values):
    return stream.with_past(conv, frames(*values), 2).flatten().tolist()


def test_before_a_video_its_first_frame_is_repeated_and_before_a_chunk_are_the_frames_that_came_last():
    stream, conv = Stream(), nn.Identity()
    assert seen(stream, conv, 1, 2, 3) == [1, 1, 1, 2, 3]
    assert seen(stream, conv, 4) == [2, 3, 4]
    assert seen(stream, conv, 5, 6) == [3, 4, 5, 6]  # also of more than one chunk


def test_every_convolution_has_a_past_of_its_own():
    stream, one, other = Stream(), nn.Identity(), nn.Identity()
    seen(stream, one, 1, 2)
    assert seen(stream, other, 7) == [7, 7, 7] and seen(stream, one, 3) == [1, 2, 3]


def test_of_a_chunk_only_the_last_frames_stay_in_memory():
    stream, conv, chunk = Stream(), nn.Identity(), frames(*range(100))
    stream.with_past(conv, chunk, 2)
    tail = stream.tails[conv]
    kept = tail.untyped_storage().nbytes()
    assert kept == 2 * chunk.element_size()
    chunk.zero_()
    assert tail.flatten().tolist() == [98, 99]


def test_frame_0_stands_alone_in_the_first_chunk_and_as_released_in_every_chunk_of_an_odd_length():
    ours, released, odd, even = Stream(), Stream(as_released=True), frames(1, 2, 3), frames(1, 2)
    for first in (True, False):
        ours.first = released.first = first
        assert ours.starts_alone(odd) == ours.starts_alone(even) == first
        assert released.starts_alone(odd) and not released.starts_alone(even)
