import pytest
import torch

import cogkit
from cogkit.interventions.editor import InterventionError
from cogkit.prompts import PromptError

OTHER = "a blue star growing"


def test_a_prompt_that_is_swapped_in_all_steps_is_that_prompt(pipe, generate):
    wanted = generate(pipe, prompt=OTHER)
    with cogkit.intervene(pipe, cogkit.swap_prompt(OTHER)):
        assert torch.equal(generate(pipe), wanted)
    with cogkit.intervene(pipe, cogkit.swap_prompt(OTHER, branch="uncond")):
        assert torch.equal(generate(pipe), generate(pipe, negative_prompt=OTHER))


def test_from_a_step_on_it_is_what_the_pipeline_s_own_callback_does(pipe, generate):
    with torch.no_grad():  # as in the pipeline; with gradients the text encoder's last bits are others
        other, empty = pipe.encode_prompt(OTHER, max_sequence_length=16)

    def swap(pipe, step, timestep, tensors):
        return {"prompt_embeds": torch.cat([empty, other])} if step == 0 else {}

    wanted = generate(
        pipe,
        num_inference_steps=4,
        callback_on_step_end=swap,
        callback_on_step_end_tensor_inputs=["latents", "prompt_embeds"],
    )
    with cogkit.intervene(pipe, cogkit.swap_prompt(OTHER, steps=slice(1, None))):
        assert torch.equal(generate(pipe, num_inference_steps=4), wanted)


def test_its_own_prompt_changes_no_bit_and_each_sample_can_have_its_own(pipe, generate):
    prompts = ["a red circle", "a blue star"]
    plain = generate(pipe, prompt=prompts)
    with cogkit.intervene(pipe, cogkit.swap_prompt(prompts)):
        assert torch.equal(generate(pipe, prompt=prompts), plain)
        assert torch.equal(generate(pipe, prompt=["a cross", "a cross"]), plain)


def test_prompts_that_cannot_be_are_refused(pipe, generate):
    with pytest.raises(InterventionError, match="3 prompts for 1 samples; give one, or one each"):
        with cogkit.intervene(pipe, cogkit.swap_prompt(["a star"] * 3)):
            generate(pipe)
    with pytest.raises(PromptError, match="shorten it"), cogkit.intervene(pipe, cogkit.swap_prompt("red " * 40)):
        pass
