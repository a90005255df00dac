//! Pixels that get a value of their own.

use ndarray::{ArrayViewMutD, Axis, Slice};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::view::ViewMut;
use offgraph_kernels::error::Result;
use offgraph_kernels::match_dtype;
use offgraph_kernels::memory;

/// Give pixels a value of their own, on all planes.
pub(super) fn fill_pixels(filled: &[(usize, f64)], output: ViewMut<'_>, axes: Axes) -> Result<()> {
    if filled.is_empty() || output.is_empty() {
        return Ok(());
    }
    let last = axes.outer + axes.spatial;
    let pixels: usize = output.shape()[axes.outer..last].iter().product();
    let planes: usize = output.shape()[last..].iter().product();
    match_dtype!(ViewMut, output, output => fill_in(filled, output, (axes.outer, last), pixels, planes));
    Ok(())
}

fn fill_in<T: Sample>(
    filled: &[(usize, f64)],
    mut output: ArrayViewMutD<'_, T>,
    spatial: (usize, usize),
    pixels: usize,
    planes: usize,
) {
    if let Some(elements) = output.as_slice_mut() {
        for plane in elements.chunks_exact_mut(pixels * planes) {
            for (number, value) in filled {
                plane[number * planes..][..planes].fill(T::from_f64_rounded(*value));
            }
        }
        return;
    }
    let lens = memory::copy(&output.shape()[spatial.0..spatial.1]);
    for (number, value) in filled {
        let mut pixel = output.view_mut();
        let mut rest = *number;
        for (axis, len) in lens.iter().enumerate().rev() {
            pixel.slice_axis_inplace(Axis(spatial.0 + axis), Slice::from(rest % len..rest % len + 1));
            rest /= len;
        }
        pixel.fill(T::from_f64_rounded(*value));
    }
}
