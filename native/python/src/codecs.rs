//! Bindings: image files read, and decoded into arrays.

use crate::array::{Input, Output};
use crate::call::{catch_memory_error, detached};
use crate::list::List;
use offgraph_codecs::jpeg::{self, Window};
use offgraph_codecs::png;
use offgraph_codecs::{Format, ImageFile, Samples, decode_png};
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::exec::threads;
use offgraph_kernels::memory::{self, CollectVec};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Height, width and channels of a JPEG that is decoded here; `None` if it is not.
#[pyfunction]
pub fn jpeg_shape(data: &[u8]) -> Option<(usize, usize, usize)> {
    let header = jpeg::read_header(data).ok()?;
    Some((header.height, header.width, header.sampling.channels()))
}

/// Decode into `output`, (height, width, channels) in C order. `window` holds the first row and the one after the last,
/// then columns alike. Returns why the file is not decoded here, or `None`.
#[pyfunction]
#[pyo3(signature = (output, data, window))]
pub fn decode_jpeg(
    py: Python<'_>,
    mut output: Output<'_>,
    data: &[u8],
    window: Option<(usize, usize, usize, usize)>,
) -> PyResult<Option<&'static str>> {
    let ViewMut::U8(mut output) = output.view_mut() else {
        return Err(PyTypeError::new_err("images are decoded into arrays of uint8"));
    };
    let Some(output) = output.as_slice_mut() else {
        return Err(PyTypeError::new_err("images are decoded into arrays in C order"));
    };
    py.detach(|| {
        catch_memory_error(|| {
            let window =
                window.map(|(top, bottom, left, right)| Window { rows: top..bottom, columns: left..right });
            Ok(offgraph_codecs::decode_jpeg(data, window, output).err().map(|refused| refused.0))
        })
    })
}

/// Encode an array (height, width) or (height, width, channels) as PNG; `None` if it is not one that is encoded here.
#[pyfunction]
pub fn encode_png<'py>(py: Python<'py>, image: Input<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
    let View::U8(pixels) = image.view() else {
        return Err(PyTypeError::new_err("images are encoded from arrays of uint8"));
    };
    let [height, width, channels] = image_shape(pixels.shape())?;
    let Some(pixels) = pixels.to_slice() else {
        return Err(PyTypeError::new_err("images are encoded from arrays in C order"));
    };
    let file = detached(py, || Ok(png::encode(pixels, height, width, channels)))?;
    Ok(file.map(|file| PyBytes::new(py, &file)))
}

/// Decode PNGs, each into its array (height, width) or (height, width, channels) of uint8 or uint16. Returns for each why
/// it is not decoded here, or `None`.
#[pyfunction]
pub fn decode_pngs<'py>(
    py: Python<'py>,
    mut images: List<(Output<'py>, Input<'py>)>,
) -> PyResult<Vec<Option<&'static str>>> {
    catch_memory_error(|| {
        let mut refusals = memory::filled(None, images.len());
        let mut parts = memory::with_capacity(images.len());
        for ((output, file), refusal) in images.iter_mut().zip(&mut refusals) {
            let View::U8(file) = file.view() else {
                return Err(PyTypeError::new_err("files are arrays of uint8"));
            };
            let Some(file) = file.to_slice() else {
                return Err(PyTypeError::new_err("files are arrays without gaps"));
            };
            let (shape, samples) = match output.view_mut() {
                ViewMut::U8(output) => (image_shape(output.shape())?, output.into_slice().map(Samples::U8)),
                ViewMut::U16(output) => (image_shape(output.shape())?, output.into_slice().map(Samples::U16)),
                _ => return Err(PyTypeError::new_err("PNGs are decoded into arrays of uint8 or uint16")),
            };
            let Some(samples) = samples else {
                return Err(PyTypeError::new_err("images are decoded into arrays in C order"));
            };
            memory::push(&mut parts, (file, shape, samples, refusal));
        }
        detached(py, || {
            threads::for_each_block(parts, |(file, shape, samples, refusal)| {
                *refusal = decode_png(file, shape, samples).err().map(|refused| refused.0);
            });
            Ok(())
        })?;
        Ok(refusals)
    })
}

/// Height, width and channels of an array that is an image.
fn image_shape(shape: &[usize]) -> PyResult<[usize; 3]> {
    match *shape {
        [height, width] => Ok([height, width, 1]),
        [height, width, channels] => Ok([height, width, channels]),
        _ => Err(PyTypeError::new_err("images are arrays of 2 or 3 axes")),
    }
}

/// A file of one of the kinds that are decoded here.
#[pyclass(frozen, module = "offgraph._native")]
pub struct EncodedImage(ImageFile);

impl EncodedImage {
    pub fn file(&self) -> &ImageFile {
        &self.0
    }
}

#[pymethods]
impl EncodedImage {
    /// Height, width and channels as stored, EXIF orientation, bytes of the file, and bits per sample.
    #[getter]
    fn header(&self) -> (usize, usize, usize, u8, usize, usize) {
        let (height, width) = self.0.size();
        (height, width, self.0.channels(), self.0.orientation(), self.0.data().len(), self.0.depth())
    }

    /// Name of its format.
    #[getter]
    fn format(&self) -> &'static str {
        match self.0.format() {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
        }
    }

    /// The contents of the file.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.0.data())
    }
}

/// The file with these contents; `None` if it is not decoded here.
#[pyfunction]
pub fn open_image(data: &[u8]) -> PyResult<Option<EncodedImage>> {
    catch_memory_error(|| Ok(ImageFile::new(memory::copy(data)).ok().map(EncodedImage)))
}

/// How far [`read_images`] has come, for a thread that looks on.
#[pyclass(frozen, module = "offgraph._native")]
#[derive(Default)]
pub struct ReadProgress {
    files: AtomicUsize,
    parts: AtomicUsize,
}

#[pymethods]
impl ReadProgress {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Files that are done.
    #[getter]
    fn files(&self) -> usize {
        self.files.load(Ordering::Relaxed)
    }

    /// Parts of files that were read.
    #[getter]
    fn parts(&self) -> usize {
        self.parts.load(Ordering::Relaxed)
    }
}

/// Read files of at most `max_bytes` each; `None` for those that are not decoded here, for whatever reason.
#[pyfunction]
pub fn read_images(
    py: Python<'_>,
    paths: Vec<PathBuf>,
    max_bytes: u64,
    progress: &Bound<'_, ReadProgress>,
) -> PyResult<Vec<Option<EncodedImage>>> {
    let progress = progress.get();
    catch_memory_error(|| {
        let mut files: Vec<Option<ImageFile>> = memory::with_capacity(paths.len());
        files.resize_with(paths.len(), || None);
        let places = paths.iter().zip(&mut files).collect_vec();
        let count = |number: &AtomicUsize| number.fetch_add(1, Ordering::Relaxed);
        detached(py, || {
            threads::for_each_block(places, |(path, file)| {
                let read = ImageFile::read(path, max_bytes, || {
                    count(&progress.parts);
                });
                *file = read.ok();
                count(&progress.files);
            });
            Ok(())
        })?;
        Ok(files.into_iter().map(|file| file.map(EncodedImage)).collect_vec())
    })
}
