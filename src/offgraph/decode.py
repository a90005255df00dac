"""Reading image files by its public address: ``from offgraph.decode import read``."""

from offgraph.formats.decoding import MAX_PIXELS, DecodedImage, imread, read

__all__ = ["MAX_PIXELS", "DecodedImage", "imread", "read"]
