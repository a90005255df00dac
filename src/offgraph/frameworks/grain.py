"""A loader's samples and a recipe as parts of a pipeline of Grain."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from offgraph.core.arguments import whole_number
from offgraph.core.errors import ArgumentError
from offgraph.core.random import Key
from offgraph.core.threads import num_threads
from offgraph.frameworks.elements import Elements
from offgraph.frameworks.missing import not_installed
from offgraph.targets.collection import KINDS

if TYPE_CHECKING:
    import grain

    from offgraph.loading.loader import Loader
    from offgraph.recipe.compose import Compose

__all__ = ["Addresses", "MakeSample", "dataset", "grain_transform"]


def dataset(loader: Loader, *, epoch: int | None = None, epochs: int = 1) -> grain.MapDataset:
    """Give the samples of a loader to Grain, which reads them by random access, in its own threads or processes.

    Element p is a dict of one image's arrays, without a batch axis: ``"image"`` and ``"label"``, ``"mask"``, or ``"boxes"`` and
    ``"classes"``, and ``"index"``, the number of the image. Image i of epoch e is drawn at ``Key(seed, e, i)``, and elements
    stand in the loader's order, so that batches made of them are those of the loader in values::

        for batch in loader.grain(epochs=5).to_iter_dataset().batch(32): ...

    With ``on_error="skip"`` an element that cannot be used is None, which Grain leaves out.

    Parameters
    ----------
    loader : Loader
    epoch : int, optional
        Number of the first epoch; the loader's ``start_epoch`` unless given.
    epochs : int
        How many epochs the dataset has, one after another. Grain's ``repeat`` would give the same epoch again.

    Returns
    -------
    grain.MapDataset
        Of ``epochs`` times the images of the loader.

    Raises
    ------
    OffgraphError
        Where Grain is not installed, or no image can be used.
    ArgumentError
        For an argument that cannot be used; names it.
    """
    grain = _grain()
    if loader.mix:
        raise ArgumentError(
            "mix= mixes the images of a batch, and Grain makes its batches itself; leave it out"
        )
    first = loader.start_epoch if epoch is None else whole_number("epoch", epoch, least=0)
    addresses = Addresses(loader, first, whole_number("epochs", epochs))
    return grain.MapDataset.source(addresses).map(MakeSample(loader))


class Addresses:
    """A data source for Grain: which image is drawn for which epoch, place by place.

    Parameters
    ----------
    loader : Loader
    first : int
        Number of the first epoch.
    epochs : int
    """

    def __init__(self, loader: Loader, first: int, epochs: int) -> None:
        self._loader, self._first, self._epochs = loader, first, epochs
        self._orders: dict[int, np.ndarray] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_orders": {}}

    def __len__(self) -> int:
        return self._loader.num_images * self._epochs

    def __repr__(self) -> str:
        return f"Addresses({self._loader!r}, epochs {self._first} to {self._first + self._epochs - 1})"

    def __getitem__(self, place: Any) -> dict[str, int]:
        later, place = divmod(int(place), self._loader.num_images)
        if not 0 <= later < self._epochs:
            raise IndexError(f"there are {len(self):,} places")
        epoch = self._first + later
        order = self._orders.get(epoch)
        if order is None:
            order = self._loader.addresses(epoch)
            self._orders = dict(
                [*list(self._orders.items())[-1:], (epoch, order)]
            )  # where Grain reads ahead, two
        return {"epoch": int(order[place, 0]), "index": int(order[place, 1])}


class MakeSample:
    """A transformation for Grain: from an address to the arrays of a sample.

    Parameters
    ----------
    loader : Loader

    Raises
    ------
    OffgraphError
        Where no image can be used.
    """

    def __init__(self, loader: Loader) -> None:
        self._elements = Elements(loader)

    def __call__(self, address: dict[str, int]) -> dict[str, Any] | None:
        """Arrays of the sample at an address; None where it is left out."""
        with num_threads(1):  # Grain has threads of its own
            batch = self._elements.loader.sample(address["index"], epoch=address["epoch"])
        if batch is None:
            return None
        names, arrays = self._elements.names, self._elements.arrays(batch)
        return {**{name: array[0] for name, array in zip(names, arrays)}, "index": batch.index[0]}

    def __repr__(self) -> str:
        return f"MakeSample({self._elements.loader!r})"


def grain_transform(recipe: Compose) -> Any:
    """Return a recipe as a transformation for Grain's own data sources.

    It takes and gives a dict. What stands under ``"image"``, ``"mask"``, ``"heatmap"``, ``"boxes"`` and ``"points"`` goes through the
    recipe, as arrays; the rest stays. Draws follow from the random numbers that Grain gives for each element, which
    depend on its seed and on the place of the element alone. Pass it to ``MapDataset.random_map`` or to a
    ``grain.DataLoader``.

    Parameters
    ----------
    recipe : Compose

    Returns
    -------
    grain.transforms.RandomMap

    Raises
    ------
    OffgraphError
        Where Grain is not installed.
    """
    _grain()
    return _restored(recipe)


def _grain() -> Any:
    try:
        import grain
    except ImportError as error:
        raise not_installed("Grain", "grain") from error
    return grain


def _restored(recipe: Compose) -> Any:
    return _transform_class()(recipe)


@functools.cache
def _transform_class() -> type[Any]:
    """The class of the transformations, made when Grain is first asked for."""
    import grain

    class RunRecipe(grain.transforms.RandomMap):
        """A recipe of Offgraph."""

        def __init__(self, recipe: Compose) -> None:
            self._recipe = recipe

        def __reduce__(self) -> Any:  # a class of a function is not found by name
            return _restored, (self._recipe,)

        def random_map(self, element: dict[str, Any], rng: np.random.Generator) -> Any:
            """Run the recipe on an element."""
            key = Key(int(rng.integers(1 << 63)))
            if "image" not in element:
                raise ArgumentError(
                    f"a recipe takes a dict with an 'image'; this one has {', '.join(element) or 'nothing'}"
                )
            targets = {name: element[name] for name in KINDS if name in element}
            with num_threads(1):
                made: Any = self._recipe(**targets, key=key).targets
            return {**element, **{name: made[name].array for name in targets}}

        def __repr__(self) -> str:
            return f"RunRecipe({self._recipe!r})"

    return RunRecipe
