"""What the run of SciPy's own tests asks for."""

from tests.foreign.scipy_suite import named_by_scipy

from offgraph import ndimage


def test_every_function_that_scipy_tests_must_be_called():
    """SciPy has no test of one function; `tests.parity` compares that one."""
    required, unnamed = named_by_scipy()
    assert set(required) | set(unnamed) == ndimage.NATIVE and len(required) == len(ndimage.NATIVE) - 1
    assert unnamed == ["labeled_comprehension"]
