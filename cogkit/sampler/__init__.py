"""v -> the next, slightly cleaner latents: schedule, prediction, guidance, then ddim or dpm. No network is known here."""
