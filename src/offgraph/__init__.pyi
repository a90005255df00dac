"""The public names and where they live. `__init__.py` reads this file and imports each name when it is first used."""

from offgraph import ndimage as ndimage, testing as testing
from offgraph.steps import parameters as parameters
from offgraph.inspection.comparison import compare as compare
from offgraph.inspection.model_skew import skew as skew
from offgraph.inspection.skew_report import SkewReport as SkewReport
from offgraph.inspection.tta_choice import TtaChoice as TtaChoice, choose_tta as choose_tta
from offgraph.recipe.layers import Augment as Augment
from offgraph.recipe.compose import Compose as Compose
from offgraph.recipe.result import Result as Result
from offgraph.migration import (
    Migration as Migration,
    MigrationReport as MigrationReport,
    StepReport as StepReport,
    from_albumentations as from_albumentations,
    from_keras as from_keras,
    from_tfa as from_tfa,
    from_torchvision as from_torchvision,
)
from offgraph.dataset import (
    BuildReport as BuildReport,
    BuiltDataset as BuiltDataset,
    build as build,
)
from offgraph.formats.decoding import DecodedImage as DecodedImage, imread as imread
from offgraph.inspection.error_report import ErrorReport as ErrorReport, report as report
from offgraph.inspection.file_checks import doctor as doctor
from offgraph.formats.encoding import imwrite as imwrite, show as show
from offgraph.core.errors import (
    ArgumentError as ArgumentError,
    BuildError as BuildError,
    DecodeError as DecodeError,
    FileAccessError as FileAccessError,
    MachineError as MachineError,
    OffgraphError as OffgraphError,
    OffgraphWarning as OffgraphWarning,
    RecipeError as RecipeError,
    RecipeMismatch as RecipeMismatch,
    ScriptError as ScriptError,
    SourceError as SourceError,
    StepError as StepError,
    WriteError as WriteError,
)
from offgraph.geometry import (
    AffineMap as AffineMap,
    ChainMap as ChainMap,
    CoordinateMap as CoordinateMap,
    DisplacementMap as DisplacementMap,
    Frame as Frame,
    GridMap as GridMap,
    ProjectiveMap as ProjectiveMap,
    RadialMap as RadialMap,
    Resampling as Resampling,
    TileMap as TileMap,
    orientation_map as orientation_map,
)
from offgraph.loading.bad_images import Substitute as Substitute
from offgraph.loading.batch import Batch as Batch
from offgraph.loading.benchmark_report import (
    BenchmarkReport as BenchmarkReport,
    MeasuredPart as MeasuredPart,
    ModelTiming as ModelTiming,
)
from offgraph.loading.cached_samples import CacheInfo as CacheInfo
from offgraph.loading.explanation import SampleExplanation as SampleExplanation
from offgraph.loading.loader import Loader as Loader
from offgraph.loading.mixes import CutMix as CutMix
from offgraph.loading.mixes import MixUp as MixUp
from offgraph.loading.mixes import Mosaic as Mosaic
from offgraph.postprocess import (
    ArgMax as ArgMax,
    ClearBorder as ClearBorder,
    Close as Close,
    Contours as Contours,
    Dilate as Dilate,
    DistanceWatershed as DistanceWatershed,
    Erode as Erode,
    FillHoles as FillHoles,
    KeepLargest as KeepLargest,
    Label as Label,
    Measure as Measure,
    NonMaximumSuppression as NonMaximumSuppression,
    Open as Open,
    RemoveSmall as RemoveSmall,
    SeededWatershed as SeededWatershed,
    Sigmoid as Sigmoid,
    SmoothProbabilities as SmoothProbabilities,
    Softmax as Softmax,
    Threshold as Threshold,
)
from offgraph.objects import (
    coco_annotations as coco_annotations,
    contours as contours,
    fuse_boxes as fuse_boxes,
    geojson as geojson,
    measure as measure,
    non_maximum_suppression as non_maximum_suppression,
)
from offgraph.inference.predictor import (
    Prediction as Prediction,
    Predictions as Predictions,
    Predictor as Predictor,
    predict as predict,
)
from offgraph.frameworks.detection_outputs import DetectionOutputs as DetectionOutputs
from offgraph.inference.tiling.box_stream import TiledBoxes as TiledBoxes
from offgraph.inference.tiling.stream import TiledFile as TiledFile
from offgraph.inspection.image_statistics import (
    ImageStatistics as ImageStatistics,
    statistics as statistics,
)
from offgraph.inspection.script_audit import audit as audit
from offgraph.inspection.scripts.report import (
    AuditReport as AuditReport,
    ScriptFinding as ScriptFinding,
)
from offgraph.inspection.previews import preview as preview
from offgraph.core.distributions import (
    Beta as Beta,
    Choice as Choice,
    Distribution as Distribution,
    Integer as Integer,
    LogUniform as LogUniform,
    Normal as Normal,
    Uniform as Uniform,
)
from offgraph.generators.image_data_generator import ImageDataGenerator as ImageDataGenerator
from offgraph.core.random import Draw as Draw, Key as Key
from offgraph.recipe.files import STEPS as STEPS
from offgraph.pipeline.scaled_decoding import DecodingError as DecodingError
from offgraph.pipeline.scaled_decoding import decoding_error as decoding_error
from offgraph.recipe.identity import explain_mismatch as explain_mismatch
from offgraph.steps.functions import function as function
from offgraph.steps.registry import register as register
from offgraph.views.benchmark_page import save_benchmark as save_benchmark
from offgraph.views.html import Figure as Figure, Report as Report
from offgraph.views.skew_page import save_skew as save_skew
from offgraph.inference.results import save_predictions as save_predictions
from offgraph.sources import (
    Item as Item,
    Sample as Sample,
    Source as Source,
    array_source as array_source,
    open_source as open_source,
    folds as folds,
    split as split,
    write_annotations as write_annotations,
)
from offgraph.core.specs import (
    ArraySpec as ArraySpec,
    OpenSpec as OpenSpec,
)
from offgraph.steps.kinds import (
    ColorStep as ColorStep,
    FilterStep as FilterStep,
    GeometricStep as GeometricStep,
    NoiseStep as NoiseStep,
    PointwiseStep as PointwiseStep,
    ResampledStep as ResampledStep,
    ResultStep as ResultStep,
    StatisticsStep as StatisticsStep,
)
from offgraph.steps.base import Step as Step
from offgraph.targets.base import Target as Target
from offgraph.targets.boxes import Boxes as Boxes
from offgraph.targets.collection import Targets as Targets
from offgraph.targets.heatmap import Heatmap as Heatmap
from offgraph.targets.image import Image as Image
from offgraph.targets.mask import Mask as Mask
from offgraph.targets.points import Points as Points
from offgraph.frameworks.grain import grain_transform as grain_transform
from offgraph.frameworks.jax import JaxBatches as JaxBatches
from offgraph.frameworks.keras import load as load, save as save
from offgraph.core.threads import num_threads as num_threads, set_num_threads as set_num_threads
from offgraph.transforms.color import (
    ChannelDrop as ChannelDrop,
    ChannelShuffle as ChannelShuffle,
    ColorJitter as ColorJitter,
    ColorMatrix as ColorMatrix,
    HueSaturation as HueSaturation,
    RGBShift as RGBShift,
    Snow as Snow,
    ToGrey as ToGrey,
    ToRGB as ToRGB,
)
from offgraph.transforms.filters import (
    BackgroundSubtract as BackgroundSubtract,
    Bilateral as Bilateral,
    Defocus as Defocus,
    DifferenceOfGaussians as DifferenceOfGaussians,
    Emboss as Emboss,
    GaussianFilter as GaussianFilter,
    GradientMagnitude as GradientMagnitude,
    Kernel as Kernel,
    Laplacian as Laplacian,
    MaxFilter as MaxFilter,
    MedianFilter as MedianFilter,
    MinFilter as MinFilter,
    MotionBlur as MotionBlur,
    Ndimage as Ndimage,
    PercentileFilter as PercentileFilter,
    Ringing as Ringing,
    Sharpen as Sharpen,
    UniformFilter as UniformFilter,
    UnsharpMask as UnsharpMask,
    WhiteTopHat as WhiteTopHat,
    ZoomBlur as ZoomBlur,
)
from offgraph.transforms.geometric import (
    Affine as Affine,
    BBoxSafeCrop as BBoxSafeCrop,
    CenterCrop as CenterCrop,
    Crop as Crop,
    CropAroundMask as CropAroundMask,
    CropToAspect as CropToAspect,
    D4 as D4,
    Elastic as Elastic,
    Flip as Flip,
    GridDistortion as GridDistortion,
    GridShuffle as GridShuffle,
    LensDistortion as LensDistortion,
    LetterBox as LetterBox,
    Orientation as Orientation,
    Pad as Pad,
    PadTo as PadTo,
    Perspective as Perspective,
    RandomCrop as RandomCrop,
    RandomResizedCrop as RandomResizedCrop,
    Resize as Resize,
    ResizeLonger as ResizeLonger,
    ResizeShorter as ResizeShorter,
    Rotate as Rotate,
    Rotate90 as Rotate90,
    Scale as Scale,
    Shift as Shift,
    ShiftScaleRotate as ShiftScaleRotate,
    Spacing as Spacing,
    ThinPlateSpline as ThinPlateSpline,
    Transpose as Transpose,
    Zoom as Zoom,
)
from offgraph.transforms.noise import (
    BiasField as BiasField,
    CoarseDropout as CoarseDropout,
    Downscale as Downscale,
    Fog as Fog,
    GaussianNoise as GaussianNoise,
    GlassBlur as GlassBlur,
    GridDropout as GridDropout,
    ISONoise as ISONoise,
    JpegCompression as JpegCompression,
    MaskDropout as MaskDropout,
    PixelDropout as PixelDropout,
    PoissonNoise as PoissonNoise,
    Rain as Rain,
    SaltAndPepper as SaltAndPepper,
    Shadow as Shadow,
    Speckle as Speckle,
    Spatter as Spatter,
    SunFlare as SunFlare,
)
from offgraph.transforms.pointwise import (
    Brightness as Brightness,
    Clip as Clip,
    Contrast as Contrast,
    Gamma as Gamma,
    Invert as Invert,
    Normalize as Normalize,
    PlanckianJitter as PlanckianJitter,
    Posterize as Posterize,
    Rescale as Rescale,
    Solarize as Solarize,
    ToneCurve as ToneCurve,
)
from offgraph.transforms.statistics import (
    AutoContrast as AutoContrast,
    CLAHE as CLAHE,
    Equalize as Equalize,
    FancyPCA as FancyPCA,
    MatchHistogram as MatchHistogram,
    PercentileNormalize as PercentileNormalize,
    ZScore as ZScore,
)
from offgraph.transforms.structure import (
    AugMix as AugMix,
    Identity as Identity,
    Lambda as Lambda,
    OneOf as OneOf,
    RandAugment as RandAugment,
    RandomOrder as RandomOrder,
    Sequence as Sequence,
    SomeOf as SomeOf,
    TrivialAugment as TrivialAugment,
)

__version__: str
