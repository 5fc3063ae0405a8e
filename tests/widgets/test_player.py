import base64
import re

import numpy as np

from cogkit.clips import read_clip
from cogkit.widgets.player import GAP, Player, beside, together_html


def clip(level):
    return np.full((5, 32, 32, 3), level, np.uint8)


def test_every_clip_can_be_played_and_none_plays_or_sounds_by_itself():
    shown = Player({"dark": clip(50), "light": clip(200)}).value
    assert re.findall(r'aria-label="(\w+)"', shown) == ["dark", "light"] == re.findall(r"<figcaption>(\w+)<", shown)
    assert re.findall(r"<video[^>]*? (controls muted) ", shown) == ["controls muted"] * 2 and "autoplay" not in shown


def test_the_film_is_the_clip(tmp_path):
    films = re.findall(r"base64,([\w+/=]+)", Player({"dark": clip(50), "light": clip(200)}).value)
    for level, film in zip((50, 200), films, strict=True):
        (tmp_path / "film.mp4").write_bytes(base64.b64decode(film))
        back = read_clip(tmp_path / "film.mp4")
        assert back.shape == (5, 32, 32, 3) and np.abs(back.astype(int) - level).max() < 6


def test_clips_that_are_compared_are_one_film_each_above_its_name():
    shown = together_html({"dark": clip(50), "a < b": clip(200)}, "dark and light")
    assert shown.count("<video") == 1 and 'aria-label="dark and light"' in shown and 'width="512"' in shown
    assert shown.index("<video") < shown.index("<span>dark</span><span>a &lt; b</span>")


def test_beside_a_larger_and_longer_clip_the_other_stands_on_white_and_stays_at_its_last_frame():
    small, large = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 3), np.uint8), clip(50)
    film = beside([small, large])
    assert film.shape == (5, 32, 2 * (32 + GAP), 3) and film.dtype == np.uint8
    assert [int(frame[0, 0, 0]) for frame in film] == [0, 1, 2, 2, 2]
    assert (film[:, 8:, : 32 + GAP] == 255).all() and (film[:, :, 32 + GAP : 64 + GAP] == 50).all()


def test_a_saved_notebook_says_in_words_that_there_are_players_and_a_name_is_no_markup():
    player = Player({"a < b": clip(50)})
    assert repr(player) == "Run this cell to play: a < b" and "a < b" not in player.value
