"""v -> the next, slightly cleaner latents: schedule, prediction, guidance, then ddim or dpm. Knows no network."""
