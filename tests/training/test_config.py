import pytest

from cogkit.__main__ import RECIPES
from cogkit.training.config import ConfigError, read_config


def test_the_shipped_recipes_are_valid_and_grow_in_resolution():
    for name in ("vae", "transformer"):
        config = read_config(RECIPES / f"{name}.toml")
        sizes = [max(group.size for group in stage.groups) for stage in config.stages]
        assert config.part == name and sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_the_transformer_packs_clips_of_1_9_and_17_frames_into_every_step():
    for stage in read_config(RECIPES / "transformer.toml").stages:
        assert {group.frames for group in stage.groups} == {1, 9, 17}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("part = 'vae'\nspeed = 3", "speed"),
        ("part = 'gan'\n[[stages]]\nsteps=1\ngroups=[]", "part='gan' must be"),
        ("part = 'vae'\n[data.clips_64]\ncount = 3\nthree = 1", "three"),
        ("part = 'vae'", "has no .*stages"),
        ("part = 'text'\n[[stages]]\nsteps=1\ngroups=[]", "text_slots"),
        ("part = ", "not valid TOML"),
        ("part = 'vae'\n[[stages]]\nsteps=1\ngroups=[{size=64, frames=9}]", "clips"),
    ],
)
def test_a_bad_config_is_refused_by_file_and_key(tmp_path, text, message):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"recipe.toml.*{message}"):
        read_config(path)


def test_a_missing_config_is_named(tmp_path):
    with pytest.raises(ConfigError, match="there is no config .*nowhere.toml"):
        read_config(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(("data", "given"), [("", "None"), ("[data]\nclips_64 = 40", "40")])
def test_clips_without_a_table_that_says_how_many_are_refused_by_their_key(tmp_path, data, given):
    path = tmp_path / "recipe.toml"
    path.write_text(
        f"part = 'transformer'\n[[stages]]\nsteps=1\ngroups=[{{size=64, frames=9, clips=1}}]\ntext_slots=[40]\n{data}"
    )
    with pytest.raises(ConfigError, match=f"clips_64 is {given}; .* give a table"):
        read_config(path).scenes(64, 9)


def test_single_frames_have_a_table_of_their_own(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text("part='vae'\n[[stages]]\nsteps=1\ngroups=[]\n[data]\nclips_64={count=1}\nstills_64={count=2}")
    assert [read_config(path).scenes(64, frames).count for frames in (1, 9, 17)] == [2, 1, 1]
