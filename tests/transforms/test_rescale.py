import numpy as np

import offgraph as og

CASES = {2: [og.Rescale(1 / 255), og.Rescale(1 / 127.5, offset=-1)], 3: [og.Rescale(0.5)]}


def test_every_value_of_16_bits():
    image = np.arange(1 << 16).astype(np.int16).reshape(1, 256, 256)
    image = np.concatenate([image, image])  # more pixels than values: the engine looks up
    out = og.Compose([og.Rescale(0.1, offset=3)])(image=image, axes="ZYX").image
    np.testing.assert_array_equal(out, (image * 0.1 + 3).astype(np.float32))
