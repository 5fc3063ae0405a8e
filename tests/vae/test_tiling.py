import torch

from cogkit.vae.tiling import blend, plan_tiles, tiled


def test_tiles_that_keep_their_pixels_give_the_picture_back():
    x = torch.randn(1, 2, 3, 30, 22)
    tiles = plan_tiles((12, 10), (12, 10), (1 / 4, 1 / 5))
    assert tiles.are_smaller_than(x) and not tiles.are_smaller_than(x[..., :12, :10])
    torch.testing.assert_close(tiled(x, lambda tile, _: tile.clone(), tiles), x)


def test_each_tile_is_told_its_place():
    places = []
    tiles = plan_tiles((8, 8), (8, 8), (1 / 4, 1 / 4))
    tiled(torch.zeros(1, 1, 1, 12, 8), lambda tile, place: places.append(place) or tile.clone(), tiles)
    assert places == [(0, 0), (0, 6), (6, 0), (6, 6)]


def test_the_overlap_fades_linearly_from_one_tile_into_the_next():
    tile = torch.ones(1, 1, 1, 1, 6)
    blend(torch.zeros(1, 1, 1, 1, 6), tile, 4, axis=4)
    assert tile.flatten().tolist() == [0, 0.25, 0.5, 0.75, 1, 1]
