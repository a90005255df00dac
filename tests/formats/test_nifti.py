"""NIfTI: voxels, grid and scale as nibabel reads them, at the door of everything that opens files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import offgraph as og
from offgraph.core.file_names import split_suffix
from offgraph.formats.decoding import read
from offgraph.formats.regions import open_regions

nib = pytest.importorskip("nibabel", reason="needs nibabel: pip install 'offgraph[nifti]'")

_DTYPES = ("u1", "i1", "<i2", ">i2", "u2", "i4", "u4", "i8", "u8", "f4", ">f4", "f8")
_AFFINE = np.array([[0, -2, 0, 10], [0.7, 0, 0, 5], [0, 0, 3, 1], [0, 0, 0, 1.0]])


def volume(shape: tuple[int, ...] = (5, 6, 7), dtype: str = "i2", seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(shape) * 100).astype(dtype)


def packed(array: np.ndarray, affine: np.ndarray | None = _AFFINE, kind: type = nib.Nifti1Image) -> bytes:
    return kind(array, affine, dtype=array.dtype).to_bytes()


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    """Any of the 48 orientations, with sizes and an origin."""
    order = draw(st.permutations(range(3)))
    sides = draw(st.lists(st.sampled_from([0.5, 0.7, 1.0, 1.25, 3.3]), min_size=3, max_size=3))
    signs = draw(st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis in range(3):
        affine[order[axis], axis] = sides[axis] * signs[axis]
    affine[:3, 3] = draw(st.lists(st.floats(-99, 99, width=32), min_size=3, max_size=3))
    return affine


@given(
    dtype=st.sampled_from(_DTYPES),
    affine=affines(),
    second=st.booleans(),
    zipped=st.booleans(),
    shape=st.lists(st.integers(1, 6), min_size=2, max_size=5),
)
@settings(max_examples=150)
def test_voxels_sizes_and_orientation_are_those_of_nibabel(dtype, affine, second, zipped, shape):
    image = (nib.Nifti2Image if second else nib.Nifti1Image)(volume(tuple(shape), dtype), affine, dtype=dtype)
    data = image.to_bytes()
    found = read(gzip.compress(data, 1) if zipped else data)
    stored = np.asarray(type(image).from_bytes(data).dataobj)
    assert found.format == "NIfTI"
    assert found.array.dtype == np.dtype(dtype).newbyteorder("=")
    assert np.array_equal(found.array.squeeze(), stored.T.squeeze())
    assert found.array.flags.c_contiguous
    sizes = dict(zip("XYZ", nib.affines.voxel_sizes(affine)))
    assert found.calibration is not None
    assert found.calibration.unit == "mm"
    for axis in set(found.axes) & set("ZYX"):
        assert found.calibration.spacing[axis] == pytest.approx(sizes[axis], rel=1e-7)
    if found.axes.endswith("ZYX"):
        assert found.calibration.codes == "".join(nib.aff2axcodes(affine)[::-1])


@given(
    dtype=st.sampled_from(("u1", "i2", ">i2", "u2", "i4", "f4", "f8")),
    slope=st.floats(-50, 50, width=32).filter(bool),
    inter=st.floats(-1000, 1000, width=32),
)
def test_a_slope_makes_floats_as_nibabel_does(dtype, slope, inter):
    header = nib.Nifti1Image(volume(dtype=dtype), _AFFINE, dtype=dtype)
    data = bytearray(header.to_bytes())
    data[112:120] = struct.pack("<ff", slope, inter)
    found = read(bytes(data)).array
    if (slope, inter) == (1, 0):
        assert found.dtype == np.dtype(dtype).newbyteorder("=")
        return
    wanted = nib.Nifti1Image.from_bytes(bytes(data)).get_fdata().T
    few = np.dtype(dtype).itemsize <= 2 or dtype == "f4"
    assert found.dtype == (np.float32 if few else np.float64)
    assert np.array_equal(found, wanted.astype(found.dtype))


@pytest.mark.parametrize("slope", [0.0, np.nan, np.inf, 1.0])
def test_numbers_without_a_slope_stay_integers(slope):
    data = bytearray(packed(volume()))
    data[112:120] = struct.pack("<ff", slope, 0)
    assert read(bytes(data)).array.dtype == np.int16


def test_a_fourth_axis_is_time_unless_it_is_named():
    data = packed(volume((5, 6, 7, 3)))
    found = read(data)
    assert (found.axes, found.array.shape) == ("TZYX", (3, 7, 6, 5))
    assert "axes='CZYX' makes channels" in found.notes[0]
    assert read(data, axes="CZYX").axes == "CZYX"
    assert read(packed(volume((5, 6, 7, 1)))).axes == "ZYX"
    assert read(packed(volume((5, 6, 7, 1, 3)))).axes == "CZYX"  # vectors
    with pytest.raises(og.DecodeError, match="its axes are TZYX, of"):
        read(data, axes="ZYX")


def test_colours_are_channels():
    rgb = np.zeros((5, 6, 7), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["G"] = volume(dtype="u1")
    found = read(nib.Nifti1Image(rgb, _AFFINE).to_bytes())
    assert (found.axes, found.layout, found.array.shape) == ("ZYXC", "rgb", (7, 6, 5, 3))
    assert np.array_equal(found.array[..., 1], rgb["G"].T)
    assert found.calibration is not None
    assert found.calibration.spacing == {"Z": 3.0, "Y": 2.0, "X": 0.7}


def test_what_is_not_declared_is_not_known():
    calibration = read(packed(volume(), None)).calibration
    assert calibration is not None
    assert calibration.codes is None
    data = bytearray(packed(volume(), None))
    data[76:108] = struct.pack("<8f", 1, 0, np.nan, 2, 1, 1, 1, 1)  # pixdim
    found = read(bytes(data)).calibration
    assert found is not None
    assert found.spacing == {"Z": 2.0}
    metres = nib.Nifti1Image(volume(), _AFFINE)
    metres.header.set_xyzt_units("micron")
    known = read(metres.to_bytes()).calibration
    assert known is not None
    assert known.spacing == {"Z": 0.003, "Y": 0.002, "X": 0.0007}


# files that lie


def _with(data: bytes, at: int, form: str, *values: float | bytes) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, at, *values)
    return bytes(changed)


_SOUND = packed(volume())
_SECOND = packed(volume(), kind=nib.Nifti2Image)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_SOUND[:200], "begins with bytes|without its voxels"),
        (_SOUND[:346], "without its voxels"),
        (_SOUND[:-1], r"truncated: 771 of 772 bytes"),
        (
            _with(_SOUND, 40, "<8h", 3, 0, 6, 7, 1, 1, 1, 1),
            r"damaged or empty: its header says shape \(0, 6, 7\)",
        ),
        (_with(_SOUND, 40, "<8h", 3, -5, 6, 7, 1, 1, 1, 1), "damaged or empty"),
        (_with(_SOUND, 40, "<8h", 7, 2, 2, 2, 2, 2, 2, 2), "has 7 axes"),
        (_with(_SOUND, 40, "<8h", 3, 30000, 30000, 30000, 1, 1, 1, 1), "more than the limit of"),
        (_with(_SOUND, 40, "<8h", 3, 30000, 30, 30, 1, 1, 1, 1), "truncated"),
        (_with(_SECOND, 16, "<8q", 3, 1 << 62, 1 << 62, 1 << 62, 1, 1, 1, 1), "more than the limit of"),
        (_with(_SECOND, 16, "<8q", 9, 1, 1, 1, 1, 1, 1, 1), "its header declares .* axes"),
        (_with(_SOUND, 70, "<h", 32), "holds complex64"),
        (_with(_SOUND, 70, "<h", 999), "its header cannot be read"),
        (_with(_SOUND, 108, "<f", np.nan), "its voxels begin at byte nan"),
        (_with(_SOUND, 108, "<f", 1e30), "truncated"),
        (_with(_SOUND, 344, "4s", b"ni1\0"), "a header of Analyze or NIfTI without its voxels"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_false_header_is_an_error_that_names_the_file(data, said, zipped, tmp_path):
    path = tmp_path / ("scan.nii.gz" if zipped else "scan.nii")
    path.write_bytes(gzip.compress(data) if zipped else data)
    with pytest.raises(og.DecodeError) as error:
        og.imread(path)
    assert str(error.value).startswith(f"{path}: ")
    if not zipped:
        assert error.match(said)


@given(st.data())
@settings(max_examples=300)
def test_damaged_bytes_end_in_an_image_or_an_error(data):
    changed = bytearray(data.draw(st.sampled_from([_SOUND, _SECOND])))
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, 560))] = data.draw(st.integers(0, 255))
    whole = bytes(changed[: data.draw(st.integers(1, len(changed)))])
    if data.draw(st.booleans()):
        whole = gzip.compress(whole, 1)
        whole = whole[: data.draw(st.integers(2, len(whole)))]
    try:
        found = read(whole, max_pixels=100_000)
    except og.DecodeError as error:
        said = str(error)
    else:
        said = "" if found.array.size else "fault"
    assert "fault" not in said


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    big = _with(_SOUND, 40, "<8h", 3, 500, 500, 500, 1, 1, 1, 1)
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(big + bytes(1 << 20)))
    with pytest.raises(og.DecodeError, match=r"which 1,.* bytes cannot hold|truncated"):
        og.imread(path)
    path.write_bytes(gzip.compress(_SOUND + bytes(100 << 20)))  # what follows the voxels is not unpacked
    assert np.array_equal(og.imread(path), volume().T)


def test_gzip_in_several_members_is_one_file():
    data = gzip.compress(_SOUND[:400]) + gzip.compress(_SOUND[400:])
    assert np.array_equal(read(data).array, volume().T)


def test_another_file_in_gzip_is_named():
    with pytest.raises(og.DecodeError, match="compressed by gzip, and not a NIfTI"):
        read(gzip.compress(b"hello"))


# names


def test_an_ending_of_two_parts():
    assert split_suffix("a/b.c.NII.GZ") == ("a/b.c", ".NII.GZ")
    assert split_suffix(".nii.gz") == (".nii", ".gz")
    assert split_suffix("a.tif") == ("a", ".tif")


def test_the_name_fits_or_a_note_says_so(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(_SOUND))
    (tmp_path / "a.png").write_bytes(_SOUND)
    assert read(tmp_path / "a.nii.gz").notes == ()
    assert "the name ends in .png, the file is NIfTI" in read(tmp_path / "a.png").notes


# writing


@given(
    dtype=st.sampled_from((*_DTYPES, "?")),
    axes=st.sampled_from(["YX", "ZYX", "ZYXC", "CZYX", "TZYX"]),
    ending=st.sampled_from([".nii", ".nii.gz"]),
)
@settings(max_examples=60)
def test_what_is_written_is_read_again(dtype, axes, ending, tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / f"a{ending}"
    array = volume(tuple(range(2, 2 + len(axes))), dtype)
    og.imwrite(path, array, axes=axes)
    found = read(path)
    assert np.array_equal(found.array, np.moveaxis(array, -1, 0) if axes == "ZYXC" else array)
    assert found.axes == ("CZYX" if axes == "ZYXC" else axes)
    assert np.array_equal(np.asarray(nib.load(path).dataobj).T.squeeze(), found.array)
    first = path.read_bytes()
    og.imwrite(path, array, axes=axes)
    assert path.read_bytes() == first


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
def test_a_mask_lies_where_its_scan_lies(kind, tmp_path):
    oblique = _AFFINE @ np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    scan = kind(volume(), oblique)
    scan.set_qform(oblique, 1)
    scan.header.set_slope_inter(3, 1)
    nib.save(scan, tmp_path / "scan.nii.gz")
    og.imwrite(tmp_path / "mask.nii.gz", volume(dtype="u1").T > 50, like=tmp_path / "scan.nii.gz")
    mask = nib.load(tmp_path / "mask.nii.gz")
    known = nib.load(tmp_path / "scan.nii.gz")
    assert np.array_equal(mask.affine, known.affine)
    assert np.array_equal(mask.header.get_qform(), known.header.get_qform())
    for name in ("qform_code", "sform_code", "xyzt_units"):
        assert mask.header[name] == known.header[name]
    assert np.array_equal(mask.header["pixdim"], known.header["pixdim"])
    assert mask.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(mask.dataobj), volume(dtype="u1") > 50)


def test_what_cannot_be_written_is_named(tmp_path):
    nib.save(nib.Nifti1Image(volume(), _AFFINE), tmp_path / "scan.nii")
    with pytest.raises(og.ArgumentError, match=r"b.nii: an array of \(2, 3, 4\).* does not lie on the grid"):
        og.imwrite(tmp_path / "b.nii", np.zeros((2, 3, 4), np.uint8), like=tmp_path / "scan.nii")
    with pytest.raises(og.ArgumentError, match=r"like=.* is for NIfTI only"):
        og.imwrite(tmp_path / "b.tif", np.zeros((2, 3, 4), np.uint8), like=tmp_path / "scan.nii")
    og.imwrite(tmp_path / "b.png", np.zeros((2, 3), np.uint8))
    with pytest.raises(og.DecodeError, match=r"b.png: not a NIfTI"):
        og.imwrite(tmp_path / "b.nii", np.zeros((2, 3, 4), np.uint8), like=tmp_path / "b.png")
    with pytest.raises(og.ArgumentError, match="NIfTI cannot hold complex128"):
        og.imwrite(tmp_path / "b.nii", np.zeros((2, 3, 4), complex))


# by parts


@pytest.mark.parametrize("dtype", ["u1", ">i2", "f4"])
@pytest.mark.parametrize("slope", [1.0, 0.5])
def test_parts_of_a_file_are_those_of_the_whole(dtype, slope, tmp_path):
    data = bytearray(packed(volume(dtype=dtype)))
    data[112:120] = struct.pack("<ff", slope, 3 if slope != 1 else 0)
    (tmp_path / "a.nii").write_bytes(data)
    whole = og.imread(tmp_path / "a.nii")
    reader = open_regions(tmp_path / "a.nii")
    assert (reader.axes, reader.shape, reader.dtype) == ("ZYX", whole.shape, whole.dtype)
    window = (slice(1, 4), slice(0, 6), slice(2, 5))
    assert np.array_equal(reader.read(window), whole[window])
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(bytes(data)))
    with pytest.raises(og.DecodeError, match="unpack it, gunzip"):
        open_regions(tmp_path / "a.nii.gz")
    (tmp_path / "b.nii").write_bytes(data[:-5])
    with pytest.raises(og.DecodeError, match=r"b.nii: truncated"):
        open_regions(tmp_path / "b.nii")


# sources


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for number in range(4):
        for folder, array in (("images", volume(seed=number)), ("labels", volume(seed=number) > 50)):
            path = tmp_path / folder / f"{number}.nii.gz"
            path.parent.mkdir(exist_ok=True)
            nib.save(nib.Nifti1Image(array.astype(np.int16), _AFFINE), path)
    return tmp_path


def test_a_folder_of_volumes_is_a_source(scans):
    source = og.open_source(scans / "images", masks=scans / "labels")
    sample = source.read(2)
    assert [item.name for item in source] == [f"{n}.nii.gz" for n in range(4)]
    assert (sample.image.axes, sample.image.array.dtype) == ("ZYX", np.int16)
    assert np.array_equal(sample.image.array, volume(seed=2).T)
    assert sample.mask is not None
    assert np.array_equal(sample.mask.array, volume(seed=2).T > 50)
    assert {finding.kind for finding in og.doctor(scans / "images").findings} == {"deep"}
    batch = next(iter(og.Loader(source, og.Compose([og.Flip("Z")]), batch_size=2, shuffle=False)))
    assert np.array_equal(batch.image[1], volume(seed=1).T[::-1])


def test_a_mask_of_whole_floats_is_a_mask(scans):
    for number in range(4):
        nib.save(
            nib.Nifti1Image((volume(seed=number) > 50).astype(np.float32), _AFFINE),
            scans / "labels" / f"{number}.nii.gz",
        )
    nib.save(nib.Nifti1Image(volume(dtype="f8") + 0.5, _AFFINE), scans / "labels" / "3.nii.gz")
    source = og.open_source(scans / "images", masks=scans / "labels")
    mask = source.read(0).mask
    assert mask is not None
    assert mask.array.dtype == np.int32
    with pytest.raises(og.DecodeError, match=r"3.nii.gz: holds float64 that are not whole numbers"):
        source.read(3)


def test_masks_beside_volumes_are_found_by_a_pattern(tmp_path):
    for number in range(2):
        nib.save(nib.Nifti1Image(volume(seed=number), _AFFINE), tmp_path / f"{number}.nii.gz")
        nib.save(
            nib.Nifti1Image((volume(seed=number) > 9).astype("u1"), _AFFINE),
            tmp_path / f"{number}_seg.nii.gz",
        )
    source = og.open_source(tmp_path, masks="*_seg.nii.gz")
    assert [item.mask and item.mask.name for item in source] == ["0_seg.nii.gz", "1_seg.nii.gz"]
    assert [item.name for item in og.open_source(tmp_path, masks="*_seg")] == ["0.nii.gz", "1.nii.gz"]


@pytest.mark.parametrize("format", ["folder", "arrow"])
def test_volumes_are_built_into_a_dataset(scans, format):
    source = og.open_source(scans / "images", masks=scans / "labels")
    og.build(source, scans / "out", og.Compose([og.Flip("X")]), format=format)
    if format == "folder":
        assert (scans / "out" / "images" / "0__0.npy").exists()
    loader = og.Loader(scans / "out", batch_size=4, shuffle=False)
    batch = next(iter(loader))
    assert np.array_equal(batch.image[3], volume(seed=3).T[..., ::-1])
    assert batch.mask is not None
    assert np.array_equal(batch.mask[3], volume(seed=3).T[..., ::-1] > 50)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_predicted_mask_lies_where_its_scan_lies(ending, tmp_path):
    scan = nib.Nifti1Image(volume((8, 10, 12)), _AFFINE)
    (tmp_path / "scans").mkdir()
    nib.save(scan, tmp_path / "scans" / f"a{ending}")
    predictor = og.Predictor(
        lambda batch: np.asarray(batch > 50, np.float32),
        input_shape=(None, None, None, 1),
        recipe=og.Compose([og.Rescale(1)]),
        task="segment",
        postprocess=[og.Threshold()],
        class_names=["bright"],
    )
    predictions = predictor(og.open_source(tmp_path / "scans"))
    og.save_predictions(predictions, tmp_path / "out")
    mask = nib.load(tmp_path / "out" / "masks" / f"a{ending}")
    assert np.array_equal(mask.affine, nib.load(tmp_path / "scans" / f"a{ending}").affine)
    assert mask.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(scan.dataobj) > 50)
