"""Reach inside a running pipeline: change any internal, exactly, under the fused kernel, and measure what follows.

    with cogkit.intervene(pipe, cogkit.knock_out("red"), cogkit.ablate("blocks.2.attn.z", heads=[1])):
        other = pipe(...)

Everything in the block runs edited; after it, also after an exception, the pipeline is what it was. A `cogkit.record`
around or inside of it sees the edited values. An intervention is a plain value: make it once, use it on any pipeline.

| intervention | what it does |
| --- | --- |
| `reweight({"red": 2.0})` | multiplies the attention on words (or any region), as adding log 2 to the logits |
| `knock_out("red", "<pad>")` | nobody can attend to them: identical to masking these keys |
| `inject({"square": "circle"}, from_=run)` | who looks at "square" is who looked at "circle" in a recorded run |
| `ablate("blocks.2.attn.z", heads=[1], mode="zero")` | zero, "mean" (over tokens), "resample" (from a recorded run) |
| `patch("blocks.1.resid_post.video", from_=run)` | puts in what another run had there, recorded with `acts` |
| `edit("blocks.1.resid_post.video", change=f)` | puts in `f(value)`: steering, noise, anything |
| `modulate("blocks.*.adaln1.gate.text", times=0.0)` | scales, shifts or replaces the AdaLN vectors |
| `swap_prompt("a blue square", steps=slice(5, None))` | from that step on, the transformer reads another prompt |

All but `swap_prompt` and the column edits take patterns of hook points (the names that `acts` records). Everything is
restricted in the same words: `steps` and `layers` ("all", a number, a list, a range or a slice), `heads` (at attn.q, k,
v, z), `branch` ("cond", "uncond", "both"), and `tokens`, or `queries` for column edits: a `region`.

    region(frames=0)                         every token of the first latent frame
    region(frames="all", y=slice(0, 4))      a part of the grid, in tokens: frame, y, x
    region(mask=run.word("circle") > 0.3)    wherever a map is high
    region(words=["red", "<pad>"])           text slots; "<prompt>", "<eos>", "<pad>" are the kinds of slots

`sweep` runs many interventions over many seeds and gives effects with confidence intervals; see its docstring.
"""
