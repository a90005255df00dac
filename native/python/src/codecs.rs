//! Bindings: image files decoded into arrays.

use crate::array::Output;
use crate::call::catch_memory_error;
use offgraph_codecs::jpeg::{self, Decoder, Window};
use offgraph_kernels::array::view::ViewMut;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use std::cell::RefCell;

thread_local! {
    /// A thread keeps its tables and workspaces from one file to the next.
    static DECODER: RefCell<Decoder> = RefCell::default();
}

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
            DECODER.with_borrow_mut(|decoder| {
                let result = match window {
                    None => decoder.decode(data, output),
                    Some((top, bottom, left, right)) => {
                        let window = Window { rows: top..bottom, columns: left..right };
                        decoder.decode_window(data, window, output)
                    }
                };
                Ok(result.err().map(|refused| refused.0))
            })
        })
    })
}
