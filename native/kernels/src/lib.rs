//! The loops of `offgraph.ndimage`, without Python.
//!
//! Every kernel takes arrays whose element type is known at run time ([`array::view`]). Where SciPy computes in `f64`,
//! pixels are read as `f64`, computed in SciPy's order, and stored with one of the cast rules of [`array::sample`].
//! Faster approximations carry an error bound and fall back to SciPy's sum where the stored value is not certain.
//! Results never depend on the number of threads ([`exec::threads`]) or on the instruction set ([`exec::simd`]).
//!
//! Where to find the loop of a function:
//!
//! | SciPy function | file |
//! |---|---|
//! | `correlate1d`, `convolve1d` | `filter/correlate1d.rs` |
//! | `gaussian_filter`, `gaussian_filter1d` | `filter/correlate1d.rs`, `filter/separable.rs` |
//! | `gaussian_laplace`, `gaussian_gradient_magnitude` | `filter/correlate1d.rs`, `filter/separable.rs` |
//! | `sobel`, `prewitt`, `laplace` | `filter/correlate1d.rs`, `filter/separable.rs` |
//! | `correlate`, `convolve` | `filter/correlate_nd.rs` |
//! | `uniform_filter`, `uniform_filter1d` | `filter/uniform1d.rs` |
//! | `median_filter`, `rank_filter`, `percentile_filter` | `rank.rs` |
//! | `minimum_filter`, `maximum_filter`, `minimum_filter1d`, `maximum_filter1d` | `rank/boxes.rs`, `rank/extreme.rs` |
//! | `grey_erosion`, `grey_dilation`, `grey_opening`, `grey_closing` | `rank/boxes.rs`, `rank/raised.rs` |
//! | `white_tophat`, `black_tophat` | `rank/boxes.rs`, `rank/raised.rs` |
//! | `morphological_gradient`, `morphological_laplace` | `rank/boxes.rs`, `rank/raised.rs` |
//! | `binary_erosion`, `binary_dilation`, `binary_opening`, `binary_closing` | `morphology.rs` |
//! | `binary_propagation`, `binary_fill_holes`, `binary_hit_or_miss`, `iterate_structure` | `morphology.rs` |
//! | `distance_transform_edt` | `distance/euclidean.rs` |
//! | `distance_transform_cdt` | `distance/chamfer.rs` |
//! | `distance_transform_bf` | `distance/brute_force.rs` |
//! | `affine_transform`, `rotate` | `interpolate/warp.rs`, `interpolate/affine2d.rs` |
//! | `map_coordinates`, `geometric_transform` | `interpolate/warp.rs` |
//! | `zoom`, `shift` | `interpolate/zoom.rs` |
//! | `spline_filter`, `spline_filter1d` | `interpolate/spline.rs` |
//! | `label` | `measure/label.rs` |
//! | `find_objects` | `measure/objects.rs` |
//! | `value_indices` | `measure/groups.rs` |
//! | `sum_labels`, `sum`, `mean`, `variance`, `standard_deviation`, `center_of_mass` | `measure/sums.rs` |
//! | `minimum`, `maximum`, `minimum_position`, `maximum_position`, `extrema` | `measure/extremes.rs` |
//! | `watershed_ift` | `measure/watershed.rs` |
//! | `fourier_gaussian`, `fourier_uniform`, `fourier_ellipsoid`, `fourier_shift` | `pointwise/fourier.rs` |
//! | `median`, `histogram`, `labeled_comprehension` | Python |
//! | `generic_laplace`, `generic_gradient_magnitude`, `generate_binary_structure` | Python |
//! | `generic_filter`, `generic_filter1d`, `vectorized_filter` | Python |
//!
//! Not SciPy's: `interpolate/resize.rs` (antialiased resizing),
//! `interpolate/batch.rs` (affine maps of a whole batch), `filter/plane_kernel.rs` (weights in the plane, of all channels
//! at once), `interpolate/zoom_blur.rs` (the mean of several zooms), `interpolate/projective2d.rs` (projective maps), `pointwise/` (lookup tables, colours and their
//! matrices, light and shade, histograms, equalization of tiles), `noise/` (random numbers by
//! position, and what they do to pixels), `segment/` (priority flood, reconstruction by dilation, regional maxima),
//! `measure/regions.rs` (connected components of equal labels) and `distance/per_label.rs` (distances to other labels).
//!
//! Modules import in one direction, which `tests/test_rust_layout.py` checks: `error`, `memory`, `exec`, `array`, then
//! `border`, `window` and `doubling`, then `walk`, then the families. Families do not import each other.

#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_macros))]

pub mod array;
pub mod border;
pub mod distance;
mod doubling;
pub mod error;
pub mod exec;
pub mod filter;
pub mod interpolate;
pub mod measure;
pub mod memory;
pub mod morphology;
pub mod noise;
pub mod pointwise;
pub mod rank;
pub mod segment;
pub mod walk;
pub mod window;
