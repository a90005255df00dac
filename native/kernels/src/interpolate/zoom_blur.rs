//! The mean of several zooms of an image of integers, of order 1 with the mode 'nearest'.
//!
//! Each zoom has SciPy's sum, and the zooms are added up in their order, all in `f64`:
//!
//! ```text
//! for each row of the output, for each zoom:
//!     a, b = the two input rows around it, times their weights      # side by side, one pixel in four lanes
//!     for each pixel: total += a[left] * w + a[right] * v + b[left] * w + b[right] * v
//! ```

use crate::array::level::GreyLevel;
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, Level, dispatch, level};
use crate::exec::threads;
use crate::interpolate::border_taps::{first_tap, tap_index};
use crate::interpolate::spline::weights;
use crate::interpolate::zoom::AxisMap;
use crate::memory::{self, CollectVec};
use ndarray::{ArrayViewD, ArrayViewMutD};

/// Most channels of a pixel.
pub const MAX_CHANNELS: usize = 4;

/// The two input positions that an output position reads, and their weights.
type TwoTaps = ([usize; 2], [f64; 2]);

/// Average zooms, each with a map for rows and one for columns, of an image (rows, columns, channels) of `u8` or `u16`
/// in C order, rounded half to even.
pub fn mean_of_zooms(output: ViewMut<'_>, input: &View<'_>, zooms: &[[AxisMap; 2]]) -> Result<()> {
    let &[rows, columns, channels] = input.shape() else {
        return Err(KernelError::shape("rows, columns and channels have three axes"));
    };
    if output.shape() != input.shape() || channels > MAX_CHANNELS || zooms.is_empty() {
        let shapes = (input.shape(), output.shape(), zooms.len());
        return Err(KernelError::shape(format!("zooms of images of shapes {shapes:?}")));
    }
    if output.is_empty() {
        return Ok(());
    }
    let plane = [rows, columns, channels];
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => typed(to, from, plane, zooms),
        (ViewMut::U16(to), View::U16(from)) => typed(to, from, plane, zooms),
        _ => Err(KernelError::parameter("zooms of uint8 or uint16 are averaged")),
    }
}

fn typed<T: GreyLevel>(
    to: ArrayViewMutD<'_, T>,
    from: &ArrayViewD<'_, T>,
    plane: [usize; 3],
    zooms: &[[AxisMap; 2]],
) -> Result<()> {
    let (Some(to), Some(from)) = (to.into_slice(), from.as_slice()) else {
        return Err(KernelError::shape("zooms are averaged in C order"));
    };
    if plane[2] == 1 {
        blurred::<T, 1>(to, from, plane, zooms);
    } else {
        blurred::<T, MAX_CHANNELS>(to, from, plane, zooms);
    }
    Ok(())
}

/// With so many lanes for a pixel.
fn blurred<T: GreyLevel, const LANES: usize>(
    to: &mut [T],
    from: &[T],
    [rows, columns, channels]: [usize; 3],
    zooms: &[[AxisMap; 2]],
) {
    let padded = from
        .chunks_exact(channels)
        .map(|pixel| std::array::from_fn(|lane| pixel.get(lane).copied().unwrap_or_default()))
        .collect_vec();
    let tables = |axis: usize, len: usize| zooms.iter().map(|maps| neighbours(maps[axis], len)).collect_vec();
    let (down, across) = (tables(0, rows), tables(1, columns));
    // A zoom by 1 adds the image itself.
    let begins_with_image = is_still(&down[0]) && is_still(&across[0]);
    let row = columns * channels;
    let cost = to.len().saturating_mul(2 * zooms.len());
    let lines = rows.div_ceil(threads::blocks_for(cost).min(rows));
    let mut blocks = memory::with_capacity(rows.div_ceil(lines));
    memory::extend(&mut blocks, to.chunks_mut(lines * row).enumerate());
    threads::for_each_block(blocks, |(number, to)| {
        let mut room = [(); 3].map(|()| memory::filled([0.0; LANES], columns));
        let mut means = memory::filled([T::default(); LANES], columns);
        for (place, to) in to.chunks_exact_mut(row).enumerate() {
            let [total, above, below] = &mut room;
            if begins_with_image {
                let from = &padded[(number * lines + place) * columns..][..columns];
                dispatch(ScaleRow { from, weight: 1.0, to: &mut *total });
            } else {
                total.fill([0.0; LANES]);
            }
            for (down, across) in down.iter().zip(&across).skip(usize::from(begins_with_image)) {
                let (sources, weights) = down[number * lines + place];
                let [first, second] = sources.map(|source| &padded[source * columns..][..columns]);
                dispatch(ScaleRow { from: first, weight: weights[0], to: &mut *above });
                dispatch(ScaleRow { from: second, weight: weights[1], to: &mut *below });
                add_zoom([&*above, &*below], across, total);
            }
            dispatch(DivideRow { total, count: zooms.len() as f64, to: &mut means });
            for (to, mean) in to.chunks_exact_mut(channels).zip(&means) {
                to.copy_from_slice(&mean[..channels]);
            }
        }
    });
}

/// Neighbours of all positions on an axis.
fn neighbours(map: AxisMap, len: usize) -> Vec<TwoTaps> {
    let at = |position: usize| {
        let Some((first, x)) = first_tap::<2>(map.coordinate(position, 0), len, Border::Nearest) else {
            return ([0; 2], [0.0; 2]);
        };
        let tap =
            |step: i64| tap_index(first.wrapping_add(step), len, Border::Nearest).unwrap_or(0).min(len - 1);
        ([tap(0), tap(1)], weights::<2>(x))
    };
    (0..len).map(at).collect_vec()
}

/// Whether each position reads itself alone.
fn is_still(table: &[TwoTaps]) -> bool {
    table
        .iter()
        .enumerate()
        .all(|(position, ([first, _], weights))| *first == position && *weights == [1.0, 0.0])
}

/// A row times a weight.
struct ScaleRow<'a, T, const LANES: usize> {
    from: &'a [[T; LANES]],
    weight: f64,
    to: &'a mut [[f64; LANES]],
}

impl<T: GreyLevel, const LANES: usize> Kernel for ScaleRow<'_, T, LANES> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (to, from) in self.to.as_flattened_mut().iter_mut().zip(self.from.as_flattened()) {
            *to = f64::from(from.to_f32()) * self.weight;
        }
    }
}

/// A row of sums over their number, rounded.
struct DivideRow<'a, T, const LANES: usize> {
    total: &'a [[f64; LANES]],
    count: f64,
    to: &'a mut [[T; LANES]],
}

impl<T: GreyLevel, const LANES: usize> Kernel for DivideRow<'_, T, LANES> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (to, total) in self.to.as_flattened_mut().iter_mut().zip(self.total.as_flattened()) {
            *to = T::of_f64(total / self.count);
        }
    }
}

/// Add a zoom to the total: the rows around it are weighted already.
///
/// Left to itself a compiler makes registers of many pixels here, which it has to gather; one pixel is four numbers that
/// lie side by side.
fn add_zoom<const LANES: usize>(
    [above, below]: [&[[f64; LANES]]; 2],
    across: &[TwoTaps],
    total: &mut [[f64; LANES]],
) {
    #[cfg(target_arch = "x86_64")]
    if LANES == MAX_CHANNELS && level() >= Level::Avx2 {
        assert!(above.len() == across.len() && below.len() == across.len() && total.len() == across.len());
        // SAFETY: the processor has AVX2; positions of `across` lie in rows of its length.
        return unsafe {
            add_zoom_of_four(above.as_flattened(), below.as_flattened(), across, total.as_flattened_mut())
        };
    }
    for (total, ([left, right], [w, v])) in total.iter_mut().zip(across) {
        let (a, b, c, d) = (&above[*left], &above[*right], &below[*left], &below[*right]);
        for lane in 0..LANES {
            total[lane] += a[lane] * w + b[lane] * v + c[lane] * w + d[lane] * v;
        }
    }
}

/// The same with a register for each pixel.
///
/// # Safety
///
/// The rows and the total have four numbers for each position of `across`, which reads positions below its length.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx")]
unsafe fn add_zoom_of_four(above: &[f64], below: &[f64], across: &[TwoTaps], total: &mut [f64]) {
    use std::arch::x86_64::{
        _mm256_add_pd, _mm256_loadu_pd, _mm256_mul_pd, _mm256_set1_pd, _mm256_storeu_pd,
    };
    for (place, ([left, right], [w, v])) in across.iter().enumerate() {
        // SAFETY: as promised by the caller.
        unsafe {
            let term = |row: &[f64], at: usize, weight: f64| {
                _mm256_mul_pd(_mm256_loadu_pd(row.as_ptr().add(4 * at)), _mm256_set1_pd(weight))
            };
            let sum = _mm256_add_pd(term(above, *left, *w), term(above, *right, *v));
            let sum = _mm256_add_pd(sum, term(below, *left, *w));
            let sum = _mm256_add_pd(sum, term(below, *right, *v));
            let total = total.as_mut_ptr().add(4 * place);
            _mm256_storeu_pd(total, _mm256_add_pd(_mm256_loadu_pd(total), sum));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use crate::interpolate::options::Options;
    use crate::interpolate::zoom::zoom;
    use ndarray::Array3;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_mean_is_that_of_single_zooms(
            (rows, columns, channels) in (1_usize..20, 1_usize..40, 1_usize..5),
            factors in prop::collection::vec(prop_oneof![3 => 1.0..9.0_f64, 1 => Just(1.0)], 1..6),
            threads in 1_usize..3,
        ) {
            let map = |factor: f64, len: usize| {
                let middle = (len as f64 - 1.0) / 2.0;
                let shift = (middle - middle / factor) / (1.0 / factor);
                AxisMap { shift: Some(shift), zoom: Some(1.0 / factor), grid: false }
            };
            let zooms: Vec<[AxisMap; 2]> = factors.iter().map(|f| [map(*f, rows), map(*f, columns)]).collect();
            let input = Array3::from_shape_fn((rows, columns, channels), |(y, x, c)| (y * 91 + x * 37 + c * 5) as u8);
            let (view, options) = (View::U8(input.view().into_dyn()), Options { order: 1, border: Border::Nearest, fill: 0.0, pad: 0 });
            let mut total = Array3::<f64>::zeros(input.raw_dim());
            for maps in &zooms {
                let mut one = Array3::<f64>::zeros(input.raw_dim());
                zoom(&view, ViewMut::F64(one.view_mut().into_dyn()), 0, maps, &options).unwrap();
                total += &one;
            }
            at_every_level(threads, || {
                let mut found = Array3::<u8>::zeros(input.raw_dim());
                mean_of_zooms(ViewMut::U8(found.view_mut().into_dyn()), &view, &zooms).unwrap();
                prop_assert_eq!(found, total.map(|sum| (sum / zooms.len() as f64).round_ties_even() as u8));
                Ok(())
            })?;
        }
    }
}
