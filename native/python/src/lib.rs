//! The Python module `offgraph._native`: parse, release the GIL, call a kernel, convert.
#![allow(missing_docs)]

mod array;
mod call;
mod call_limit;
mod codecs;
mod distance;
mod error;
mod filter;
mod fourier;
mod interpolate;
mod list;
mod measure;
mod morphology;
mod order;
mod plan;
mod plan_filter;
mod plan_image;
mod pointwise;
mod rank;
mod recipe;
mod resize;
mod rows;
mod segment;
mod spans;
mod spline;
mod values;

use offgraph_kernels::exec::{simd, threads};
use pyo3::exceptions::{PyUserWarning, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    if cfg!(debug_assertions) {
        let message = c"offgraph._native is a debug build and slow; build it with: maturin develop --release";
        PyErr::warn(module.py(), &module.py().get_type::<PyUserWarning>(), message, 1)?;
    }
    for function in [
        wrap_pyfunction!(build_info, module)?,
        wrap_pyfunction!(set_num_threads, module)?,
        wrap_pyfunction!(set_local_num_threads, module)?,
        wrap_pyfunction!(get_num_threads, module)?,
        wrap_pyfunction!(set_simd_level, module)?,
        wrap_pyfunction!(plan::run_plan, module)?,
        wrap_pyfunction!(plan::run_plans, module)?,
        wrap_pyfunction!(plan::invert_displacement, module)?,
        wrap_pyfunction!(order::permute, module)?,
        wrap_pyfunction!(order::permuted, module)?,
        wrap_pyfunction!(recipe::drawn_values, module)?,
        wrap_pyfunction!(recipe::cos_sin_degrees, module)?,
        wrap_pyfunction!(recipe::rounded_dot, module)?,
        wrap_pyfunction!(pointwise::lookup, module)?,
        wrap_pyfunction!(values::grey, module)?,
        wrap_pyfunction!(values::histogram, module)?,
        wrap_pyfunction!(values::equalize_tiles, module)?,
        wrap_pyfunction!(values::count_photons, module)?,
        wrap_pyfunction!(values::multiply_pixels, module)?,
        wrap_pyfunction!(values::shine, module)?,
        wrap_pyfunction!(values::philox4x64, module)?,
        wrap_pyfunction!(codecs::jpeg_shape, module)?,
        wrap_pyfunction!(codecs::decode_jpeg, module)?,
        wrap_pyfunction!(codecs::read_images, module)?,
        wrap_pyfunction!(codecs::open_image, module)?,
        wrap_pyfunction!(codecs::encode_png, module)?,
        wrap_pyfunction!(codecs::decode_pngs, module)?,
        wrap_pyfunction!(spans::read_spans, module)?,
        wrap_pyfunction!(resize::resize, module)?,
        wrap_pyfunction!(spline::spline_filter1d, module)?,
        wrap_pyfunction!(interpolate::affine, module)?,
        wrap_pyfunction!(interpolate::affine_each, module)?,
        wrap_pyfunction!(interpolate::zoom_shift, module)?,
        wrap_pyfunction!(interpolate::map_coordinates, module)?,
        wrap_pyfunction!(interpolate::map_positions, module)?,
        wrap_pyfunction!(filter::correlate1d, module)?,
        wrap_pyfunction!(filter::correlate_axes, module)?,
        wrap_pyfunction!(filter::correlate_nd, module)?,
        wrap_pyfunction!(filter::uniform1d, module)?,
        wrap_pyfunction!(morphology::binary_erosion, module)?,
        wrap_pyfunction!(fourier::multiply_spectrum, module)?,
        wrap_pyfunction!(fourier::multiply_spectrum_by, module)?,
        wrap_pyfunction!(fourier::ball_spectrum, module)?,
        wrap_pyfunction!(measure::watershed, module)?,
        wrap_pyfunction!(distance::euclidean_distances, module)?,
        wrap_pyfunction!(distance::chamfer_distances, module)?,
        wrap_pyfunction!(distance::brute_force_distances, module)?,
        wrap_pyfunction!(distance::indices_of_positions, module)?,
        wrap_pyfunction!(measure::label, module)?,
        wrap_pyfunction!(measure::find_objects, module)?,
        wrap_pyfunction!(measure::box_slices, module)?,
        wrap_pyfunction!(measure::all_box_slices, module)?,
        wrap_pyfunction!(measure::label_regions, module)?,
        wrap_pyfunction!(distance::label_distances, module)?,
        wrap_pyfunction!(segment::priority_flood, module)?,
        wrap_pyfunction!(segment::reconstruct, module)?,
        wrap_pyfunction!(segment::regional_maxima, module)?,
        wrap_pyfunction!(measure::group_by_value, module)?,
        wrap_pyfunction!(measure::label_counts, module)?,
        wrap_pyfunction!(measure::label_sums, module)?,
        wrap_pyfunction!(measure::asked_sums, module)?,
        wrap_pyfunction!(measure::label_moments, module)?,
        wrap_pyfunction!(measure::label_extremes, module)?,
        wrap_pyfunction!(rank::rank_filter, module)?,
        wrap_pyfunction!(rank::box_extremum, module)?,
        wrap_pyfunction!(rank::raised_extremum, module)?,
    ] {
        module.add_function(function)?;
    }
    module.add_class::<call_limit::CallLimit>()?;
    module.add_class::<call::Ending>()?;
    module.add_class::<codecs::EncodedImage>()?;
    module.add_class::<codecs::ReadProgress>()?;
    module.add_class::<plan::LookupTable>()?;
    module.add_class::<plan::ResizeTables>()?;
    module.add_class::<plan_filter::FilterPasses>()?;
    module.add_class::<recipe::CompiledRecipe>()?;
    module.add_class::<recipe::NativePlan>()?;
    module.add_class::<rows::FileRules>()?;
    module.add_class::<rows::SampleRows>()?;
    Ok(())
}

#[pyfunction]
fn build_info(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let info = PyDict::new(py);
    info.set_item("version", env!("CARGO_PKG_VERSION"))?;
    info.set_item("profile", if cfg!(debug_assertions) { "debug" } else { "release" })?;
    info.set_item("simd", simd::level().name())?;
    info.set_item("simd_detected", simd::detected().name())?;
    info.set_item("threads", threads::count())?;
    Ok(info)
}

#[pyfunction]
fn set_num_threads(count: usize) -> usize {
    threads::set_threads(count)
}

#[pyfunction]
fn set_local_num_threads(count: usize) -> usize {
    threads::set_local_threads(count)
}

#[pyfunction]
fn get_num_threads() -> usize {
    threads::count()
}

#[pyfunction]
fn set_simd_level(name: &str) -> PyResult<&'static str> {
    let level = simd::Level::from_name(name)
        .ok_or_else(|| PyValueError::new_err(format!("no SIMD level {name:?}; baseline, avx2 or avx512")))?;
    Ok(simd::force(level).name())
}
