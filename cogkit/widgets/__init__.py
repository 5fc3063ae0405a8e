"""Sliders over the pictures: they connect controls to plots and have no logic of their own."""
