"""The AdaLN table is what the running model does, and is had without running it."""

import diffusers
import pytest
import torch

import cogkit
from cogkit.recording.modulation import ModulationError
from cogkit.transformer.released import RELEASED


@pytest.mark.parametrize("kind", ["T2V", "I2V"])
def test_the_table_is_what_every_layer_does_in_a_run_whatever_the_branch(tiny_pipe, generate, kind):
    pipe = tiny_pipe(kind)
    call = {"image": torch.rand(1, 3, 64, 64)} if kind == "I2V" else {}
    with cogkit.record(pipe, cogkit.acts("blocks.*.adaln*", branch="both")) as rec:
        generate(pipe, **call)
    times = rec.run["adaln1.shift.video"].train_timestep.values.tolist()
    table = cogkit.modulation_table(pipe, times)
    for norm in (1, 2):
        for part in ("shift", "scale", "gate"):
            for stream in ("video", "text"):
                expected = table.sel(norm=norm, part=part, stream=stream)
                for step, time in enumerate(times):
                    found = rec.run[f"adaln{norm}.{part}.{stream}"].isel(step=step)
                    assert abs(found - expected.sel(train_timestep=time, drop=True)).max() < 1e-5


def lora(pipe):
    from peft import LoraConfig

    pipe.transformer.add_adapter(LoraConfig(r=2, target_modules=["norm1.linear", "linear_1"], init_lora_weights=False))


def switched_off(pipe):
    lora(pipe)
    pipe.transformer.disable_adapters()


@pytest.mark.parametrize("change", [cogkit.swap, lora, switched_off])
def test_the_table_is_that_of_the_transformer_as_it_is_now(tiny_pipe, generate, change):
    pipe = tiny_pipe()
    before = cogkit.modulation_table(pipe, [999])
    change(pipe)
    with cogkit.record(pipe, cogkit.acts("blocks.*.adaln1.gate.*", steps=0)) as rec:
        generate(pipe)
    table = cogkit.modulation_table(pipe, [999]).sel(norm=1, part="gate")
    for stream in ("video", "text"):
        assert abs(rec.run[f"adaln1.gate.{stream}"][0].values - table.sel(stream=stream)[0].values).max() < 1e-5
    assert (abs(table - before.sel(norm=1, part="gate")).max() > 1e-3) == (change is lora)


def test_the_table_needs_only_the_time_embedding_and_the_norms(tiny_pipe):
    pipe = tiny_pipe(dtype=torch.bfloat16)
    whole = cogkit.modulation_table(pipe, [0, 999])
    for name, parameter in list(pipe.transformer.named_parameters()):
        if "time_embedding" not in name and ".linear." not in name:
            owner, leaf = name.rpartition(".")[::2]
            setattr(pipe.transformer.get_submodule(owner), leaf, torch.nn.Parameter(parameter.to("meta")))
    assert cogkit.modulation_table(pipe.transformer, [999, 0]).identical(whole)
    assert whole.dims == ("train_timestep", "layer", "norm", "stream", "part", "channel") and whole.dtype == "float32"


@torch.no_grad()
def test_the_5b_has_its_table_on_a_cpu_one_linear_after_the_other(held):
    """All 42 layers at their real width, the rest on meta. The weights overlap in one pool: no two are the same."""
    with torch.device("meta"):
        model = diffusers.CogVideoXTransformer3DModel(**RELEASED["CogVideoX-5b"]).bfloat16()
    torch.manual_seed(0)
    pool, width, times = torch.randn(18432 * 512 + 1000).bfloat16() / 50, 3072, [0, 500, 999]
    needed = [name for name in model.state_dict() if "time_embedding" in name or ".linear." in name]
    needed = [name for name in needed if not name.startswith("norm_out")]
    for start, name in enumerate(needed):
        owner, leaf = name.rpartition(".")[::2]
        shape = model.get_parameter(name).shape
        weight = pool[start : start + shape.numel()].view(shape)
        setattr(model.get_submodule(owner), leaf, torch.nn.Parameter(weight, requires_grad=False))

    with held() as most:
        table = cogkit.modulation_table(model, times)
    assert table.shape == (3, 42, 2, 2, 3, width) and table.nbytes / len(times) < 6.2e6
    assert most.peak < 2 * 18432 * 512 * 4, "more than two of the 84 linears at once, in fp32"

    temb = model.time_embedding.float()(model.time_proj(torch.tensor(times)))
    for layer in (0, 41):
        for norm in (1, 2):
            module = getattr(model.transformer_blocks[layer], f"norm{norm}").float()
            module.norm = torch.nn.Identity()  # shows shift and scale of what is put in
            *shifts, video_gate, text_gate = module(*[torch.zeros(3, 1, width)] * 2, temb)
            scaled = module(*[torch.ones(3, 1, width)] * 2, temb)[:2]
            expected = {"gate": (video_gate, text_gate), "shift": shifts}
            expected["scale"] = [both - 1 - shift for both, shift in zip(scaled, shifts, strict=True)]
            for part, streams in expected.items():
                for stream, value in zip(("video", "text"), streams, strict=True):
                    found = table.sel(layer=layer, norm=norm, part=part, stream=stream).values
                    torch.testing.assert_close(torch.from_numpy(found), value[:, 0], atol=1e-5, rtol=1e-5)


def test_what_has_no_table_is_refused(tiny_pipe):
    pipe = tiny_pipe()
    with pytest.raises(ModulationError, match=r"timesteps=\[1000\] must be train timesteps from 0 to 999"):
        cogkit.modulation_table(pipe, [1000])
    with pytest.raises(ModulationError, match="`ofs` embedding"):
        cogkit.modulation_table(tiny_pipe(ofs_embed_dim=16), [5])
    pipe.transformer.to("meta")
    with pytest.raises(ModulationError, match="meta device.*before enable_sequential_cpu_offload"):
        cogkit.modulation_table(pipe, [5])
