import torch
from diffusers import CogVideoXPipeline
from transformers import T5Tokenizer

from cogkit.training.diffusion import new_scheduler
from cogkit.training.latent_store import encode_scenes
from cogkit.training.text import UNSEEN_WORD, new_text_encoder, new_tokenizer, take_over, token_ids
from cogkit.training.transformer import new_transformer, rotary_embedding
from cogkit.training.vae import new_vae
from cogkit.world.scene import sample_scene

TINY_VAE = dict(block_out_channels=[16, 16, 16, 16], layers_per_block=1, norm_num_groups=4)


def scenes(count, **kind):
    return [sample_scene(seed, **kind) for seed in range(count)]


def test_positions_follow_the_rule_of_the_stock_pipeline_at_every_size_and_duration():
    tokenizer = new_tokenizer(50)
    transformer = new_transformer(num_layers=1, num_attention_heads=1)
    pipe = CogVideoXPipeline(
        tokenizer, new_text_encoder(len(tokenizer)), new_vae(**TINY_VAE), transformer, new_scheduler()
    )
    for size in (64, 96, 128):
        for frames in (1, 9, 17):
            stock = pipe._prepare_rotary_positional_embeddings(size, size, (frames - 1) // 4 + 1, torch.device("cpu"))
            for ours, theirs in zip(rotary_embedding(transformer.config, size, frames), stock, strict=True):
                torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_a_fresh_transformer_answers_zero():
    """Modulation and head start at zero: no block disturbs the first gradients."""
    transformer = new_transformer(num_layers=1, num_attention_heads=1)
    x, text = torch.randn(1, 3, 16, 4, 4), torch.randn(1, 8, 128)
    v = transformer(x, text, torch.tensor([500]), image_rotary_emb=rotary_embedding(transformer.config, 32, 9)).sample
    assert torch.equal(v, torch.zeros_like(v))


def test_the_latents_of_9_frames_are_the_first_three_of_17(tmp_path):
    torch.manual_seed(0)
    vae = new_vae(**TINY_VAE)
    video = torch.rand(1, 3, 17, 32, 32) * 2 - 1
    with torch.no_grad():
        long, short = vae.encode(video).latent_dist.mode(), vae.encode(video[:, :, :9]).latent_dist.mode()
    assert torch.equal(long[:, :, :3], short)


def test_encoded_scenes_are_kept_and_read_back(tmp_path, monkeypatch):
    torch.manual_seed(0)
    vae = new_vae(**TINY_VAE)
    first = encode_scenes(vae, scenes(2), 32, tmp_path / "latents.pt")
    monkeypatch.setattr(vae, "encode", None)  # from here on nothing can be encoded
    again = encode_scenes(vae, scenes(2), 32, tmp_path / "latents.pt")
    for frames, latent in ((9, 3), (17, 5)):
        got = first.latents(torch.tensor([1, 0]), frames)
        assert got.shape == (2, latent, 16, 4, 4) and torch.equal(got, again.latents(torch.tensor([1, 0]), frames))


def test_single_frames_are_encoded_alone(tmp_path):
    torch.manual_seed(0)
    store = encode_scenes(new_vae(**TINY_VAE), scenes(2), 32, tmp_path / "latents.pt", frames=1)
    assert store.latents(torch.tensor([1, 0]), 1).shape == (2, 1, 16, 4, 4)


def test_scenes_of_another_kind_are_encoded_anew(tmp_path):
    torch.manual_seed(0)
    vae = new_vae(**TINY_VAE)
    first = encode_scenes(vae, scenes(1, painted=0.0), 32, tmp_path / "latents.pt")
    second = encode_scenes(vae, scenes(1, painted=1.0), 32, tmp_path / "latents.pt")
    assert not torch.equal(first.latents(torch.tensor([0]), 17), second.latents(torch.tensor([0]), 17))


def test_another_vae_encodes_anew(tmp_path):
    torch.manual_seed(0)
    first = encode_scenes(new_vae(**TINY_VAE), scenes(1), 32, tmp_path / "latents.pt")
    second = encode_scenes(new_vae(**TINY_VAE), scenes(1), 32, tmp_path / "latents.pt")
    assert not torch.equal(first.latents(torch.tensor([0]), 17), second.latents(torch.tensor([0]), 17))


def test_words_of_the_grammar_are_single_pieces_and_all_others_unknown():
    tokenizer = new_tokenizer(50)
    assert tokenizer.tokenize("A red Circle, moving right.") == ["▁a", "▁red", "▁circle", ",", "▁moving", "▁right"]
    assert tokenizer.tokenize("zyx") == ["▁", "zyx"] and tokenizer("zyx").input_ids[1] == tokenizer.unk_token_id
    assert tokenizer(UNSEEN_WORD).input_ids == tokenizer("zyx").input_ids


def test_a_tokenizer_that_was_written_and_read_back_still_takes_capitals(tmp_path):
    new_tokenizer(50).save_pretrained(tmp_path)
    tokenizer = type(new_tokenizer(50)).from_pretrained(tmp_path)
    assert tokenizer.tokenize("A Red circle!") == ["▁a", "▁red", "▁circle"]


def test_a_run_with_new_words_starts_from_what_the_old_words_meant_and_tells_the_new_ones_apart():
    torch.manual_seed(0)
    pieces = list(new_tokenizer(50).get_vocab())
    known = T5Tokenizer(vocab=[(piece, 0.0) for piece in pieces if piece not in ("▁amber", "▁jade")], extra_ids=0)
    trained, tokenizer = new_text_encoder(len(known)), new_tokenizer(50)
    text_encoder = new_text_encoder(len(tokenizer))
    take_over(text_encoder, tokenizer, trained, known)
    red = known("a red circle").input_ids
    ids = token_ids(tokenizer, ["a red circle"], len(red))
    assert torch.equal(trained(torch.tensor([red]))[0][0], text_encoder(ids)[0][0])
    amber, jade, unknown = text_encoder.shared.weight[tokenizer.convert_tokens_to_ids(["▁amber", "▁jade", "<unk>"])]
    assert min((amber - jade).norm(), (amber - unknown).norm(), (jade - unknown).norm()) > unknown.norm() / 2
    assert text_encoder.encoder.embed_tokens.weight is text_encoder.shared.weight


def test_prompts_are_padded_to_the_slots():
    tokenizer = new_tokenizer(50)
    ids = token_ids(tokenizer, ["a red circle", ""], 8)
    assert ids.shape == (2, 8) and (ids[0, 4:] == 0).all() and ids[1].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
