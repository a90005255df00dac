import numpy as np

import offgraph as og

CASES = {2: [og.SunFlare(range=255), og.SunFlare((3, 9), strength=0.5, ghosts=0, color=0.9, range=200)]}


def test_the_light_fades_with_the_square():
    step = og.SunFlare("50%", strength=0.8, ghosts=0, rows=0.5, columns=0.5, range=1)
    out = og.Compose([step])(image=np.zeros((41, 41)), key=og.Key()).image
    y, x = np.indices((41, 41)) - 20
    expected = 0.8 * np.maximum(1 - np.hypot(y, x) / 20.5, 0) ** 2
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)


def test_ghosts_lie_on_the_line_through_the_middle():
    step = og.SunFlare(0, strength=0, ghosts=1, rows=0.2, columns=0.1, range=1)
    recipe = og.Compose([step])
    for index in range(10):
        out = recipe(image=np.zeros((200, 200)), key=og.Key(index=index))
        ((along, radius, light),) = out.record["steps"][0]["params"]["ghosts"]
        disk = np.argwhere(out.image > 0)
        if not len(disk):
            continue
        centre = np.array([0.2 * 200 - 0.5, 0.1 * 200 - 0.5])
        centre += along * (99.5 - centre)
        assert np.linalg.norm(disk - centre, axis=1).max() <= radius * 200
        np.testing.assert_allclose(out.image[out.image > 0], light, rtol=1e-12)


def test_a_colour_for_each_channel():
    step = og.SunFlare("50%", strength=1, ghosts=0, rows=0.5, columns=0.5, color=(1, 0.5, 0))
    out = og.Compose([step])(image=np.full((21, 21, 3), 100, np.uint8), key=og.Key()).image
    assert out[10, 10].tolist() == [255, 128, 0]
