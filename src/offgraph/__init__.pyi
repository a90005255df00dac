"""The public names and where they live. `__init__.py` reads this file and imports each name when it is first used."""

from offgraph import (
    ndimage as ndimage,
    parameters as parameters,
    testing as testing,
)
from offgraph.compare import compare as compare
from offgraph.compose import (
    Augment as Augment,
    Compose as Compose,
    Result as Result,
)
from offgraph.dataset import (
    BuildReport as BuildReport,
    BuiltDataset as BuiltDataset,
    build as build,
)
from offgraph.decode import (
    Picture as Picture,
    imread as imread,
)
from offgraph.doctor import doctor as doctor
from offgraph.encode import (
    imwrite as imwrite,
    show as show,
)
from offgraph.errors import (
    ArgumentError as ArgumentError,
    BuildError as BuildError,
    DecodeError as DecodeError,
    FileAccessError as FileAccessError,
    MachineError as MachineError,
    OffgraphError as OffgraphError,
    OffgraphWarning as OffgraphWarning,
    RecipeError as RecipeError,
    RecipeMismatch as RecipeMismatch,
    SourceError as SourceError,
    StepError as StepError,
    WriteError as WriteError,
)
from offgraph.frame import (
    AffineMap as AffineMap,
    Frame as Frame,
    orientation_map as orientation_map,
)
from offgraph.loader import (
    Batch as Batch,
    Loader as Loader,
)
from offgraph.postprocess import (
    FillHoles as FillHoles,
    KeepLargest as KeepLargest,
    Label as Label,
    RemoveSmall as RemoveSmall,
    Threshold as Threshold,
)
from offgraph.predict import (
    Prediction as Prediction,
    Predictions as Predictions,
    predict as predict,
)
from offgraph.preview import preview as preview
from offgraph.random import (
    Draw as Draw,
    Key as Key,
)
from offgraph.recipe import (
    STEPS as STEPS,
    explain_mismatch as explain_mismatch,
)
from offgraph.registry import register as register
from offgraph.report import (
    Figure as Figure,
    Report as Report,
)
from offgraph.results import save_predictions as save_predictions
from offgraph.sources import (
    Item as Item,
    Sample as Sample,
    Source as Source,
    open_source as open_source,
    split as split,
)
from offgraph.spec import ArraySpec as ArraySpec
from offgraph.step import (
    FilterStep as FilterStep,
    GeometricStep as GeometricStep,
    PointwiseStep as PointwiseStep,
    ResampledStep as ResampledStep,
    ResultStep as ResultStep,
    Step as Step,
)
from offgraph.targets import (
    Image as Image,
    Mask as Mask,
)
from offgraph.tensors.keras import (
    load as load,
    save as save,
)
from offgraph.threads import (
    num_threads as num_threads,
    set_num_threads as set_num_threads,
)
from offgraph.transforms import (
    Affine as Affine,
    CenterCrop as CenterCrop,
    Flip as Flip,
    Gamma as Gamma,
    GaussianFilter as GaussianFilter,
    MedianFilter as MedianFilter,
    Normalize as Normalize,
    Pad as Pad,
    RandomCrop as RandomCrop,
    Rescale as Rescale,
    Resize as Resize,
    Rotate as Rotate,
    Zoom as Zoom,
)

__version__: str
