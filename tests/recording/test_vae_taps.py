"""The VAE inside of a recording: chunk by chunk is the whole clip, and the plan knows its size."""

import pytest
import torch

import cogkit
from cogkit.recording.points import match_points
from cogkit.recording.vae_taps import frames_of
from cogkit.recording.visitor import RecordError

CALL = {"output_type": "pt", "num_frames": 17, "height": 32, "width": 48}


@pytest.fixture(scope="module")
def pipe(tiny_pipe):  # its VAE gets sliced and tiled
    return tiny_pipe()


def decoded(pipe, latents):
    """What the VAE makes of the last latents."""
    with torch.no_grad():
        return pipe.decode_latents(latents).permute(0, 2, 1, 3, 4)


@pytest.mark.parametrize("how", ["stock", "twin", "sliced", "on disk"])
def test_the_decoder_s_chunks_are_laid_end_to_end_and_the_clip_is_the_same_to_the_bit(pipe, generate, tmp_path, how):
    samples = 2 if how == "sliced" else 1
    call = CALL | {"prompt": ["a red circle"] * samples}
    swapped = cogkit.swap(pipe, transformer=False, scheduler=False) if how == "twin" else None
    pipe.vae.use_slicing = how == "sliced"
    try:
        plain = generate(pipe, **call)
        sink = tmp_path / "run" if how == "on disk" else None
        with cogkit.record(pipe, cogkit.acts("vae.decoder"), sink=sink) as rec:
            plan = rec.plan(**call, max_sequence_length=16)
            assert torch.equal(generate(pipe, **call), plain)
        wanted = decoded(pipe, generate(pipe, **call | {"output_type": "latent"}))
    finally:
        pipe.vae.use_slicing = False
        if swapped:
            swapped.undo()
    found = rec.run["vae.decoder"]
    assert found.dims == ("sample", "frame", "channel", "y", "x")[samples == 1 :]
    assert torch.equal(torch.from_numpy(found.values).reshape(wanted.shape), wanted)
    assert (plan.disk if sink else plan.memory) == found.nbytes
    assert not pipe.vae.decoder._forward_hooks


def test_what_the_encoder_says_of_an_image_comes_before_the_first_step_and_is_kept(tiny_pipe, generate):
    pipe, image = tiny_pipe("I2V"), torch.rand(1, 3, 64, 64)
    with cogkit.record(pipe, cogkit.acts("vae.encoder", "temb")) as rec:
        generate(pipe, image=image)
    x = pipe.video_processor.preprocess(image, 64, 64)[:, :, None]
    with torch.no_grad():
        wanted = pipe.vae._encode(x).transpose(1, 2)[0]
    assert rec.run["vae.encoder"].dims == ("frame", "channel", "y", "x")
    assert torch.equal(torch.from_numpy(rec.run["vae.encoder"].values), wanted)


def test_a_star_means_the_denoiser_and_the_vae_is_asked_for_by_name():
    assert not [point for point in match_points(("*", "*.z"), 2) if "vae" in point.kind]
    assert [str(point) for point in match_points(("vae.*",), 2)] == ["vae.encoder", "vae.decoder"]


@pytest.mark.parametrize("latent_frames", range(1, 8))
@pytest.mark.parametrize("swapped", [False, True], ids=["stock", "twin"])
def test_the_plan_knows_how_many_frames_any_length_decodes_to(pipe, latent_frames, swapped):
    z = torch.randn(1, 16, latent_frames, 2, 2)
    with cogkit.swap(pipe, vae=swapped, transformer=False, scheduler=False), torch.no_grad():
        found = pipe.vae.decode(z).sample.shape[2]
    assert frames_of(latent_frames, 2, 4, swapped) == found


def test_what_would_not_show_whole_frames_is_refused_before_the_first_step(pipe, tiny_pipe, generate):
    def forbidden(*_):
        raise AssertionError("a step was made")

    pipe.vae.enable_tiling(tile_sample_min_height=16, tile_sample_min_width=16)
    with pytest.raises(RecordError, match=r"on tiles here; pipe.vae.disable_tiling\(\)"):
        with cogkit.record(pipe, cogkit.acts("vae.decoder")):
            generate(pipe, **CALL, callback_on_step_end=forbidden)
    pipe.vae.disable_tiling()
    with pytest.raises(RecordError, match="'vae.decoder' never fired. Likely causes: output_type='latent'"):
        with cogkit.record(pipe, cogkit.acts("vae.decoder")):
            generate(pipe)
    bare = type(pipe)(**pipe.components | {"vae": None})  # ends at latents, and can be recorded
    with cogkit.record(bare, cogkit.acts("temb")):
        generate(bare)
    with pytest.raises(RecordError, match="this pipeline has no VAE"):
        with cogkit.record(bare, cogkit.acts("vae.decoder")):
            generate(bare)
    folded = tiny_pipe(patch_size_t=2, patch_bias=False)
    with pytest.raises(RecordError, match="drops padding frames unseen; decode run"):
        with cogkit.record(folded, cogkit.acts("vae.decoder")):
            generate(folded, **CALL, callback_on_step_end=forbidden)
