"""The twin against diffusers' CogVideoXTransformer3DModel, at tiny random configs of all five released variants."""

import pytest
import torch
from diffusers import CogVideoXTransformer3DModel

from cogkit.transformer.released import RELEASED
from cogkit.transformer.rope import rotary_embedding
from cogkit.transformer.transformer import ExpertTransformer

TINY = dict(
    num_attention_heads=3,
    attention_head_dim=16,
    text_embed_dim=12,
    time_embed_dim=8,
    num_layers=3,
    sample_width=6,
    sample_height=4,
    sample_frames=9,
    max_text_seq_length=5,
)
VARIANTS = list(RELEASED)


def stock_of(variant, seed=0, **changes):
    """A stock model with nothing left at a convenient value: zeros and ones of the initialisation are random too."""
    torch.manual_seed(seed)
    sizes = RELEASED[variant] | TINY | ({"ofs_embed_dim": 8} if "ofs_embed_dim" in RELEASED[variant] else {}) | changes
    if sizes.get("patch_size_t"):
        sizes |= dict(sample_width=12, sample_height=12)
    model = CogVideoXTransformer3DModel(**sizes).eval()
    with torch.no_grad():
        table = [model.patch_embed.pos_embedding] if model.config.use_learned_positional_embeddings else []
        for tensor in [p for p in model.parameters() if p.ndim == 1] + table:
            tensor += 0.3 * torch.randn_like(tensor)
    return model


def inputs_of(model, t=None, h=4, w=6, text=5, batch=2, seed=1, dtype=torch.float32):
    torch.manual_seed(seed)
    c = model.config
    t = t or (4 if c.patch_size_t else 3)
    rope = rotary_embedding(c, t, h, w, as_released=True) if c.use_rotary_positional_embeddings else None
    return dict(
        hidden_states=torch.randn(batch, t, c.in_channels, h, w, dtype=dtype),
        encoder_hidden_states=torch.randn(batch, text, c.text_embed_dim, dtype=dtype),
        timestep=torch.randint(1000, (batch,)),
        image_rotary_emb=rope,
    ) | ({"ofs": torch.full((1,), 2.0, dtype=dtype)} if c.ofs_embed_dim else {})


@torch.no_grad()
def both(stock, **sizes):
    inputs = inputs_of(stock, **sizes)
    return ExpertTransformer.from_stock(stock)(**inputs).sample, stock(**inputs).sample


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_whole_model_is_bit_equal(variant, seed):
    got, wanted = both(stock_of(variant, seed), seed=seed)
    assert torch.equal(got, wanted)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v != "CogVideoX-5b-I2V"])
@pytest.mark.parametrize(("t", "h", "w", "batch"), [(2, 4, 6, 1), (6, 8, 4, 3), (4, 2, 2, 2), (2, 10, 10, 1)])
def test_other_sizes_are_bit_equal_too(variant, t, h, w, batch):
    got, wanted = both(stock_of(variant), t=t, h=h, w=w, batch=batch)
    assert torch.equal(got, wanted)


@pytest.mark.parametrize("variant", VARIANTS)
def test_bf16_is_bit_equal(variant):
    got, wanted = both(stock_of(variant).to(torch.bfloat16), dtype=torch.bfloat16)
    assert got.dtype == torch.bfloat16 and torch.equal(got, wanted)


@pytest.mark.parametrize("variant", VARIANTS)
def test_under_autocast_it_is_bit_equal(variant):
    with torch.autocast("cpu", torch.bfloat16):
        got, wanted = both(stock_of(variant))
    assert torch.equal(got, wanted)


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_settings_that_no_released_model_has_are_bit_equal(affine, bias):
    odd = dict(norm_elementwise_affine=affine, attention_bias=bias, patch_bias=bias, norm_eps=1e-3, patch_size=1)
    odd |= dict(flip_sin_to_cos=False, freq_shift=1, out_channels=5, temporal_interpolation_scale=2.0)
    got, wanted = both(stock_of("CogVideoX-2b", **odd))
    assert torch.equal(got, wanted)


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_are_bit_equal(variant):
    stock, other = stock_of(variant), stock_of(variant)
    twin = ExpertTransformer.from_stock(other)
    for model in (stock, twin):
        model(**inputs_of(stock)).sample.square().mean().backward()
    for (name, p), q in zip(twin.named_parameters(), stock.parameters(), strict=True):
        assert torch.equal(p.grad, q.grad), name


@pytest.mark.parametrize("variant", VARIANTS)
def test_state_dicts_load_strictly_in_both_directions(variant):
    stock = stock_of(variant)
    twin = ExpertTransformer.from_config(stock.config)
    twin.load_state_dict(stock.state_dict(), strict=True)
    back = stock_of(variant, seed=5)
    back.load_state_dict(twin.state_dict(), strict=True)
    assert list(twin.state_dict()) == list(stock.state_dict())
    inputs = inputs_of(stock)
    with torch.no_grad():
        wanted = stock(**inputs).sample
        assert torch.equal(twin.eval()(**inputs).sample, wanted) and torch.equal(back(**inputs).sample, wanted)


@pytest.mark.parametrize("variant", VARIANTS)
def test_from_stock_shares_every_parameter_and_buffer(variant):
    stock = stock_of(variant)
    twin = ExpertTransformer.from_stock(stock)
    for kind in ("named_parameters", "named_buffers"):
        ours, theirs = dict(getattr(twin, kind)()), dict(getattr(stock, kind)())
        assert ours.keys() == theirs.keys() and all(ours[name] is theirs[name] for name in theirs)
    assert dict(twin.config) == dict(stock.config) and (twin.dtype, twin.device) == (stock.dtype, stock.device)
    assert isinstance(twin, CogVideoXTransformer3DModel) and twin.training == stock.training


@torch.no_grad()
def test_no_forward_pass_of_the_reference_is_used():
    """Of diffusers' modules the twin holds the layers that carry weights (linear, convolution, norm), nothing else."""
    twin = ExpertTransformer.from_stock(stock_of("CogVideoX1.5-5B-I2V"))
    foreign = {type(m).__name__ for m in twin.modules() if type(m).__module__.startswith("diffusers")}
    assert not foreign and "forward" in vars(ExpertTransformer) and "__init__" in vars(ExpertTransformer)


@torch.no_grad()
def test_a_layer_that_was_wrapped_as_a_lora_does_comes_along():
    class WithLora(torch.nn.Module):
        def __init__(self, base_layer):
            super().__init__()
            self.base_layer = base_layer
            self.down, self.up = (torch.nn.Linear(48, 48, bias=False) for _ in range(2))

        def forward(self, x):
            return self.base_layer(x) + self.up(self.down(x))

    stock = stock_of("CogVideoX-5b")
    inputs = inputs_of(stock)
    plain = stock(**inputs).sample
    for block in stock.transformer_blocks:
        block.attn1.to_q = WithLora(block.attn1.to_q)
    stock.peft_config = {"default": "a LoRA"}
    twin = ExpertTransformer.from_stock(stock)
    wanted = stock(**inputs).sample
    assert torch.equal(twin(**inputs).sample, wanted) and not torch.equal(wanted, plain)
    assert twin.peft_config is stock.peft_config


# Where the reference is wrong, the switch brings it back.


def released(stock):
    return ExpertTransformer.from_stock(stock, as_released=True)


@torch.no_grad()
@pytest.mark.parametrize("t", [1, 2, 5])
def test_as_released_5b_i2v_swaps_its_positions_exactly_as_the_reference(t):
    stock = stock_of("CogVideoX-5b-I2V")
    inputs = inputs_of(stock, t=t)
    wanted = stock(**inputs).sample
    assert torch.equal(released(stock)(**inputs).sample, wanted)
    if t <= 3:
        assert not torch.allclose(ExpertTransformer.from_stock(stock)(**inputs).sample, wanted, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_as_released_is_bit_equal_at_the_native_size(variant):
    stock = stock_of(variant)
    inputs = inputs_of(stock)
    assert torch.equal(released(stock)(**inputs).sample, stock(**inputs).sample)


@torch.no_grad()
def test_as_released_an_odd_size_comes_back_smaller():
    stock = stock_of("CogVideoX-2b")
    inputs = inputs_of(stock, h=5, w=7)
    wanted = stock(**inputs).sample
    assert wanted.shape[-2:] == (4, 6) and torch.equal(released(stock)(**inputs).sample, wanted)


@torch.no_grad()
def test_a_short_prompt_fails_in_the_2b_of_the_reference_and_not_in_ours():
    stock = stock_of("CogVideoX-2b")
    inputs = inputs_of(stock, text=3)
    for model in (stock, released(stock)):
        with pytest.raises(RuntimeError, match="must match"):
            model(**inputs)
    assert ExpertTransformer.from_stock(stock)(**inputs).sample.isfinite().all()


# What lives around a model in diffusers goes on living around the twin.


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_saved_twin_is_an_ordinary_checkpoint(variant, tmp_path):
    stock = stock_of(variant)
    ExpertTransformer.from_stock(stock).save_pretrained(tmp_path)
    assert '"_class_name": "CogVideoXTransformer3DModel"' in (tmp_path / "config.json").read_text()
    inputs = inputs_of(stock)
    for reader in (CogVideoXTransformer3DModel, ExpertTransformer):
        again, info = reader.from_pretrained(tmp_path, output_loading_info=True)
        assert not any(info.values()), info
        torch.testing.assert_close(again(**inputs).sample, stock(**inputs).sample, atol=1e-6, rtol=1e-6)


@torch.no_grad()
def test_weights_may_be_elsewhere_until_their_layer_runs():
    from accelerate import cpu_offload
    from accelerate.hooks import remove_hook_from_module

    for variant in VARIANTS:
        stock = stock_of(variant)
        inputs = inputs_of(stock)
        wanted = stock(**inputs).sample
        twin = ExpertTransformer.from_stock(stock)
        cpu_offload(twin, execution_device=torch.device("cpu"))
        assert all(p.is_meta for p in twin.parameters())
        assert torch.equal(twin(**inputs).sample, wanted)
        remove_hook_from_module(twin, recurse=True)


@torch.no_grad()
@pytest.mark.parametrize("kind", ["block_level", "leaf_level"])
def test_group_offloading_works(kind):
    stock = stock_of("CogVideoX-5b")
    inputs = inputs_of(stock)
    wanted = stock(**inputs).sample
    twin = ExpertTransformer.from_stock(stock)
    cpu = torch.device("cpu")
    how = {"num_blocks_per_group": 1} if kind == "block_level" else {}
    twin.enable_group_offload(cpu, cpu, offload_type=kind, **how)
    assert torch.equal(twin(**inputs).sample, wanted)


@torch.no_grad()
def test_layerwise_casting_gives_the_same_numbers():
    results = []
    for make in (lambda: stock_of("CogVideoX-5b"), lambda: ExpertTransformer.from_stock(stock_of("CogVideoX-5b"))):
        model = make()
        model.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
        assert model.transformer_blocks[0].ff.net[2].weight.dtype == torch.float8_e4m3fn
        results.append(model(**inputs_of(model)).sample)
    assert torch.equal(*results)


@torch.no_grad()
@pytest.mark.parametrize("variant", VARIANTS)
def test_hooks_find_the_same_things_at_the_same_paths(variant):
    """Every module that holds weights is called as often, with arguments of the same names, and gives the same."""
    stock = stock_of(variant)
    inputs, seen = inputs_of(stock), []
    paths = [
        path
        for path, module in stock.named_modules()
        if path and any(True for _ in module.parameters()) and not isinstance(module, torch.nn.ModuleList)
    ]
    for model in (stock, ExpertTransformer.from_stock(stock)):
        calls = {path: [] for path in paths}
        handles = [
            model.get_submodule(path).register_forward_hook(
                # a copy: the reference rotates what norm_q and norm_k gave in place, after the hook
                lambda _, args, kwargs, out, path=path, calls=calls: calls[path].append((set(kwargs), copied(out))),
                with_kwargs=True,
            )
            for path in paths
        ]
        model(**inputs)
        for handle in handles:
            handle.remove()
        seen.append(calls)
    for path in paths:
        for (their_names, theirs), (our_names, ours) in zip(*(calls[path] for calls in seen), strict=True):
            assert our_names == their_names, path
            assert len(ours) == len(theirs) and all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)), path


def copied(value):
    return [value.clone()] if isinstance(value, torch.Tensor) else [part.clone() for part in value]
