import numpy as np
import pytest

import offgraph as og

CASES = {2: [og.Sigmoid()], 3: [og.Sigmoid()]}


def test_the_formula_and_its_ends():
    logits = np.linspace(-30, 30, 2001).reshape(3, 667)
    out = og.Compose([og.Sigmoid()])(image=logits).image
    np.testing.assert_allclose(out, 1 / (1 + np.exp(-logits)), rtol=1e-14)
    ends = np.array([[-np.inf, -1e30, 1e30, np.inf]], np.float32)
    assert og.Compose([og.Sigmoid()])(image=ends).image.tolist() == [[0, 0, 1, 1]]


def test_then_a_threshold():
    out = og.Compose([og.Sigmoid(), og.Threshold(0.5)])(image=np.array([[-9, 0, 0.1, 40]], np.float32)).image
    assert out.tolist() == [[0, 0, 1, 1]]


def test_nan_is_refused_by_name():
    with pytest.raises(og.StepError, match="Sigmoid: 1 of 2 values are NaN"):
        og.Compose([og.Sigmoid()])(image=np.array([[0, np.nan]], np.float32))
