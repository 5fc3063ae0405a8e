"""What the tests share: the shipped pipeline, loaded once in fp32, and a way to run what a page shows."""

import contextlib
import io
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import pytest


@pytest.fixture(scope="session")
def nano():
    import torch

    from cogkit.checkpoints import load

    pipe = load("nano", dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="session")
def executed():
    """executed(code, names): the lines that a page's Python prints; what it names goes into `names`."""

    def execute(code, names):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, names)
        return printed.getvalue().splitlines()

    return execute


@pytest.fixture(scope="session")
def tiny_pipe():
    """tiny_pipe(kind="T2V" | "I2V", scheduler=, **transformer config): a pipeline of random weights, quickly built."""
    import diffusers
    import torch
    from transformers import AutoTokenizer, T5Config, T5EncoderModel

    from cogkit.checkpoints import DATA

    def build(kind="T2V", scheduler="CogVideoXDDIMScheduler", dtype=torch.float32, **changes):
        torch.manual_seed(0)
        config = {
            "num_attention_heads": 2,
            "attention_head_dim": 16,
            "in_channels": 32 if kind == "I2V" else 16,
            "time_embed_dim": 16,
            "text_embed_dim": 32,
            "num_layers": 2,
            "sample_width": 8,
            "sample_height": 8,
            "sample_frames": 9,
            "max_text_seq_length": 16,
            "use_rotary_positional_embeddings": True,
        }
        transformer = diffusers.CogVideoXTransformer3DModel(**config | changes)
        for parameter in transformer.parameters():  # attention that differs from uniform, biases that are not zero
            torch.nn.init.normal_(parameter, std=0.2)
        vae = diffusers.AutoencoderKLCogVideoX(block_out_channels=(8, 8, 8, 8), norm_num_groups=2, layers_per_block=1)
        vae.register_to_config(scaling_factor=1.0, latent_channels=16)
        t5 = T5Config(vocab_size=128, d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2)
        pipe = getattr(diffusers, "CogVideoXPipeline" if kind == "T2V" else "CogVideoXImageToVideoPipeline")(
            tokenizer=AutoTokenizer.from_pretrained(DATA / "nano" / "tokenizer"),
            text_encoder=T5EncoderModel(t5).eval(),
            vae=vae.eval(),
            transformer=transformer.eval(),
            scheduler=getattr(diffusers, scheduler)(
                prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"
            ),
        ).to(dtype)
        pipe.set_progress_bar_config(disable=True)
        return pipe

    return build


def fused(pipe):
    pipe.transformer.fuse_qkv_projections()


def adapted(pipe):
    import torch
    from peft import LoraConfig

    places = ["to_q", "to_out.0", "norm1.linear", "ff.net.2"]
    torch.manual_seed(1)
    pipe.transformer.add_adapter(LoraConfig(r=2, target_modules=places, init_lora_weights=False))


def model_offload(pipe):
    pipe.enable_model_cpu_offload(device="cpu")


def sequential_offload(pipe):
    import torch
    from accelerate import cpu_offload

    cpu_offload(pipe.transformer, execution_device=torch.device("cpu"))  # weights on meta between uses


def group_offload(pipe):
    import torch

    cpu = torch.device("cpu")
    pipe.transformer.enable_group_offload(cpu, cpu, offload_type="block_level", num_blocks_per_group=1)


def leaf_offload(pipe):
    import torch

    cpu = torch.device("cpu")
    pipe.transformer.enable_group_offload(cpu, cpu, offload_type="leaf_level")


def twins(pipe):
    import cogkit

    cogkit.swap(pipe)


CHANGES = [fused, adapted, model_offload, sequential_offload, group_offload, leaf_offload, twins]


@pytest.fixture(params=CHANGES, ids=[change.__name__ for change in CHANGES])
def change(request):
    """change(pipe): what users do to a transformer; what it computes stays the same, but for the LoRA's."""
    return request.param
