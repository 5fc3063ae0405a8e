"""cogkit: the words of a prompt over the whole run."""

from cogkit import maps, record


def word_maps(pipe, call, words):
    with record(pipe, maps("video->text", dtype="float32")) as rec:
        latents = pipe(**call).frames
    lift = rec.run["video->text"].lift.sel(word=list(words), branch="cond").stack(query=("frame", "y", "x"))
    return latents, lift.transpose(..., "query", "word") / rec.run.notes["tokens"]
