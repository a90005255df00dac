"""From the pipelines of other libraries to recipes, with a report of what differs."""

from offgraph.migration.albumentations import from_albumentations
from offgraph.migration.keras import from_keras
from offgraph.migration.report import Migration, MigrationReport, StepReport
from offgraph.migration.tfa import from_tfa
from offgraph.migration.torchvision import from_torchvision

__all__ = [
    "Migration",
    "MigrationReport",
    "StepReport",
    "from_albumentations",
    "from_keras",
    "from_tfa",
    "from_torchvision",
]
