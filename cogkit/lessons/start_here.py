"""Notebook 00: frames to latent frames, a clip to tokens, a pixel to its token."""

from cogkit.teaching import Exercise, check


def latent_frames(frames):
    """How many latent frames stand for so many frames: frame 0 alone, then four at a time."""
    return (frames - 1) // 4 + 1


def _test_latent_frames(answer):
    for frames, wanted in ((1, 1), (9, 3), (17, 5), (49, 13)):
        check(f"{frames} frames become {wanted} latent frames", answer(frames), equals=wanted)


def a_quarter_rounded_down(frames):
    return frames // 4


def a_quarter(frames):
    return frames / 4


def all_in_fours_and_one(frames):
    return frames // 4 + 2


LATENT_FRAMES = Exercise(
    "latent_frames",
    latent_frames,
    _test_latent_frames,
    ("take frame 0 away, cut the rest into fours, and add the one that frame 0 has for itself", "49 gives 13"),
    (a_quarter_rounded_down, a_quarter, all_in_fours_and_one),
)


def tokens(frames, height, width):
    """How many video tokens a clip of this size in pixels has."""
    return latent_frames(frames) * (height // 16) * (width // 16)


def _test_tokens(answer):
    for size, wanted in (((17, 128, 128), 320), ((9, 64, 96), 72), ((49, 480, 720), 17_550)):
        check(f"{size[0]} frames of {size[1]}x{size[2]} are {wanted} tokens", answer(*size), equals=wanted)


def one_token_a_latent_pixel(frames, height, width):
    return latent_frames(frames) * (height // 8) * (width // 8)


def patches_of_every_frame(frames, height, width):
    return frames * (height // 16) * (width // 16)


def folded_in_time_too(frames, height, width):
    return -(-latent_frames(frames) // 2) * (height // 16) * (width // 16)


TOKENS = Exercise(
    "tokens",
    tokens,
    _test_tokens,
    (
        "first the latent frames, then the latent pixels of one: an eighth of the height times an eighth of the width",
        "a patch is 2x2 latent pixels, so 16x16 pixels; patches do not reach over time",
    ),
    (one_token_a_latent_pixel, patches_of_every_frame, folded_in_time_too),
)


def place(frame, y, x):
    """Which token (latent frame, row, column) holds a pixel."""
    return (frame + 3) // 4, y // 16, x // 16


def _test_place(answer):
    places = {(0, 0, 0): (0, 0, 0), (1, 15, 16): (1, 0, 1), (4, 127, 8): (1, 7, 0), (5, 16, 47): (2, 1, 2)}
    for pixel, wanted in places.items():
        check(f"pixel {pixel} lies in token {wanted}", tuple(answer(*pixel)), equals=wanted)


def place_in_fours_from_the_start(frame, y, x):
    return frame // 4, y // 16, x // 16


def place_of_a_latent_pixel(frame, y, x):
    return (frame + 3) // 4, y // 8, x // 8


def place_turned(frame, y, x):
    return (frame + 3) // 4, x // 16, y // 16


PLACE = Exercise(
    "place",
    place,
    _test_place,
    (
        "in space divide by 16; in time frame 0 is alone, and frames 1 to 4 share latent frame 1",
        "(frame + 3) // 4 sends 0 to 0, 1 to 4 to 1, and 5 to 8 to 2",
    ),
    (place_in_fours_from_the_start, place_of_a_latent_pixel, place_turned),
)
