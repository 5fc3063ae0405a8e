"""The exercises of the notebooks, one file a notebook: solutions, their tests, and wrong answers those must refuse."""
