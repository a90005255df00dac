"""File formats: how each is recognised by its first bytes, and what decodes it. A new format is one line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from offgraph.formats import avif, gif, jpeg, nifti, npy, png, pnm, tiff, webp, with_pillow
from offgraph.formats.base import FormatError, Limits, StoredImage

__all__ = ["FORMATS", "FormatError", "ImageFormat", "Limits", "StoredImage", "recognise"]


@dataclass(frozen=True)
class ImageFormat:
    """One file format.

    Parameters
    ----------
    name : str
        As in messages.
    suffixes : tuple of str
        Lower case, with the dot.
    begins : tuple of (int, bytes)
        Offset and bytes, of which one pair must be found.
    decode : callable
        Given the bytes of the file, `Limits` and, where `stacks`, the names of the axes and the page asked for.
    stacks : bool
        Whether a file can hold more axes than height, width and channels.
    """

    name: str
    suffixes: tuple[str, ...]
    begins: tuple[tuple[int, bytes], ...]
    decode: Callable[..., StoredImage]
    stacks: bool = False

    def matches(self, data: bytes) -> bool:
        """Whether the first bytes are those of this format."""
        return any(data.startswith(magic, offset) for offset, magic in self.begins)


FORMATS = (
    ImageFormat("JPEG", (".jpg", ".jpeg", ".jpe", ".jfif"), ((0, b"\xff\xd8\xff"),), jpeg.decode),
    ImageFormat("PNG", (".png", ".apng"), ((0, b"\x89PNG\r\n\x1a\n"),), png.decode),
    ImageFormat(
        "TIFF",
        (".tif", ".tiff"),
        ((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
        tiff.decode,
        stacks=True,
    ),
    ImageFormat("GIF", (".gif",), ((0, b"GIF87a"), (0, b"GIF89a")), gif.decode),
    ImageFormat("BMP", (".bmp", ".dib"), ((0, b"BM"),), with_pillow.decode_bmp),
    ImageFormat("WebP", (".webp",), ((8, b"WEBP"),), webp.decode),
    ImageFormat("AVIF", (".avif",), ((4, b"ftypavif"), (4, b"ftypavis")), avif.decode),
    ImageFormat(
        "PNM",
        (".pbm", ".pgm", ".ppm", ".pnm"),
        tuple((0, b"P%d" % n) for n in range(1, 7)),
        pnm.decode,
    ),
    ImageFormat("NIfTI", (".nii", ".nii.gz"), nifti.MAGICS, nifti.decode, stacks=True),
    ImageFormat("NPY", (".npy",), ((0, b"\x93NUMPY"),), npy.decode, stacks=True),
)
"""All formats that can be read, in the order in which they are tried."""

AS_ARRAY = "save its array as .npy, np.save('name.npy', array), or as TIFF"
"""Advice for volumes in formats that are not read."""

_ZIP = b"PK\3\4"
_HEADERS = (b"\x5c\1\0\0", b"\0\0\1\x5c", b"\x1c\2\0\0", b"\0\0\2\x1c")  # the header's size, in either order
_OTHERS = (
    ("a header of Analyze or NIfTI without its voxels", tuple((0, size) for size in _HEADERS)),
    ("a DICOM file", ((128, b"DICM"),)),
    ("an NRRD volume", ((0, b"NRRD0"),)),
    ("an HDF5 file", ((0, b"\x89HDF\r\n\x1a\n"),)),
)


def recognise(data: bytes) -> ImageFormat:
    """Return the format whose first bytes `data` has; the file's name plays no part.

    Raises
    ------
    FormatError
        Where no known format begins like this.
    """
    for candidate in FORMATS:
        if candidate.matches(data):
            return candidate
    if nifti.holds_nifti(data):
        return next(known for known in FORMATS if known.name == "NIfTI")
    if data.startswith(_ZIP):
        raise FormatError(
            "a ZIP archive and not an image; of an .npz, save each array as a file: np.save('name.npy', array)"
        )
    for name, magics in _OTHERS:
        if any(data.startswith(magic, at) for at, magic in magics):
            raise FormatError(f"{name}, which is not read here; {AS_ARRAY}")
    if data.startswith(b"\x1f\x8b"):
        raise FormatError("a file compressed by gzip, and not a NIfTI, which is not read here; unpack it")
    begins = data[:8].hex(" ")
    known = ", ".join(candidate.name for candidate in FORMATS)
    raise FormatError(f"not an image in a known format ({known}); it begins with bytes {begins}")
