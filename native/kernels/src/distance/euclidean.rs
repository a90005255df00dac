//! Euclidean distance transform, and the index of the nearest zero element.
//!
//! Axis by axis, from the first on, each element gets the nearest zero element of the subspace of the axes so far:
//!
//! ```text
//! along the first axis: the nearest zero of the line
//! along each other one: the nearest of the points that the elements of the line have got, by (i - x)² + squared[i]
//! ```
//!
//! SciPy keeps the points and computes all distances from them. Their squares are enough: the square that an element
//! has after an axis is the sum, in SciPy's order, that the next axis starts from.
//!
//! Where the spacings are small multiples of a power of two (1, 0.5, 3), all squares are small multiples of its square,
//! and no step of SciPy's rounds. Then squares are `i32`, and most points are found by [a short search](super::nearby).
//! Otherwise squares are `f64`, and points are found by [SciPy's arithmetic](super::envelope).

use crate::array::view::{View, ViewMut};
use crate::distance::envelope::LineMetric;
use crate::distance::line_group::LineGroup;
use crate::distance::nearby::{NONE, REACH};
use crate::distance::read_marks;
use crate::distance::squared::Squared;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory::{self, CollectVec};
use ndarray::{ArrayViewMut2, ArrayViewMutD, Axis, Ix3, Ix4, Slice, s};

/// Columns of the first axis that are scanned together.
const COLUMNS: usize = 64;

/// Nanoseconds per element and axis.
const COST: usize = 6;

/// Write the distance of each element from the nearest zero, and that element's index along each axis. Return false, and
/// write nothing, if there is no zero.
///
/// `distances` are `f64`; `features` are `i32`, one array per axis. Both are C-contiguous. `sampling` holds the distance
/// between neighbours along each axis.
///
/// # Errors
///
/// If shapes, types or memory layouts do not fit, or the array has no axis.
pub fn euclidean(
    distances: Option<ViewMut<'_>>,
    features: Option<ViewMut<'_>>,
    input: &View<'_>,
    sampling: Option<&[f64]>,
) -> Result<bool> {
    let shape = input.shape();
    let per_axis = [&[shape.len()], shape].into_iter().flatten().copied().collect_vec();
    let distances = match distances {
        Some(ViewMut::F64(array)) if array.shape() == shape => Some(array),
        None => None,
        Some(_) => return Err(KernelError::shape("distances of another shape or type")),
    };
    let features = match features {
        Some(ViewMut::I32(array)) if array.shape() == per_axis => Some(array),
        None => None,
        Some(_) => return Err(KernelError::shape("features of another shape or type")),
    };
    if shape.is_empty() || sampling.is_some_and(|sampling| sampling.len() != shape.len()) {
        return Err(KernelError::shape("an array without axes, or spacings for another number of axes"));
    }
    let mut marks = memory::zeros(input.len());
    read_marks(input, &mut marks);
    transform_marks(distances, features, shape, &marks, sampling)
}

/// As [`euclidean`], for an array whose elements are 0 or not.
pub(super) fn transform_marks(
    distances: Option<ArrayViewMutD<'_, f64>>,
    features: Option<ArrayViewMutD<'_, i32>>,
    shape: &[usize],
    marks: &[u8],
    sampling: Option<&[f64]>,
) -> Result<bool> {
    if !marks.is_empty() && !marks.contains(&0) {
        return Ok(false);
    }
    match WholeMetric::new(sampling, shape) {
        Some(metric) => transform::<i32>(distances, features, shape, marks, &metric),
        None => {
            let spacings = memory::copy(sampling.unwrap_or(&[]));
            let spacings = if spacings.is_empty() { memory::filled(1.0, shape.len()) } else { spacings };
            transform::<f64>(distances, features, shape, marks, &WholeMetric { spacings, unit: 1.0 })
        }
    }
    .map(|()| true)
}

/// Distances between neighbours along each axis, in units.
pub(super) struct WholeMetric {
    spacings: Vec<f64>,
    unit: f64,
}

impl WholeMetric {
    /// Spacings as small whole multiples of a power of two, if all squared distances are then small enough.
    pub fn new(sampling: Option<&[f64]>, shape: &[usize]) -> Option<Self> {
        let ones = memory::filled(1.0, shape.len());
        let sampling = sampling.unwrap_or(&ones);
        if !sampling.iter().all(|spacing| *spacing > 0.0 && spacing.is_normal()) {
            return None;
        }
        let lowest_bit = |spacing: &f64| {
            let bits = spacing.to_bits();
            let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
            (bits >> 52) as i32 - 1075 + mantissa.trailing_zeros() as i32
        };
        let lowest = sampling.iter().map(lowest_bit).min()?;
        if lowest.abs() > 100 {
            return None;
        }
        let unit = 2_f64.powi(lowest);
        let spacings = sampling.iter().map(|spacing| spacing / unit).collect_vec();
        let squares = spacings.iter().zip(shape).map(|(spacing, len)| (spacing * *len as f64).powi(2));
        // Also what a search adds to `NONE` stays below 2^31.
        let fits = spacings.iter().all(|spacing| spacing * REACH as f64 <= 32_000.0);
        (fits && squares.sum::<f64>() < f64::from(NONE)).then_some(Self { spacings, unit })
    }
}

fn transform<S: Squared>(
    mut distances: Option<ArrayViewMutD<'_, f64>>,
    mut features: Option<ArrayViewMutD<'_, i32>>,
    shape: &[usize],
    marks: &[u8],
    metric: &WholeMetric,
) -> Result<()> {
    let rank = shape.len();
    let mut squares = memory::zeros::<S>(marks.len());
    // Between these, the nearer of two elements of a line is nearer after rounding too, and no square is 0 or infinite.
    let scans = rank > 1
        && (1e-100..1e100).contains(&metric.spacings[0])
        && metric.spacings.iter().all(|s| s.is_finite());
    if !scans {
        squares.iter_mut().zip(marks).filter(|(_, mark)| **mark != 0).for_each(|(to, _)| *to = S::NONE);
    }
    for axis in 0..rank {
        let planes = [shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product()];
        let array = ndarray::ArrayViewMut::from_shape(planes, &mut squares[..])
            .map_err(|error| KernelError::shape(format!("squared distances: {error}")))?;
        let is_last = axis + 1 == rank;
        let finite = metric.spacings[axis + 1..].iter().all(|spacing| spacing.is_finite());
        let pass = DistancePass {
            axis,
            unit: metric.unit,
            metric: LineMetric { spacing: metric.spacings[axis], later: if finite { 0.0 } else { f64::NAN } },
        };
        let count = threads::blocks_for(marks.len().saturating_mul(COST));
        let mut blocks = S::view(array.into_dyn())
            .split_blocks(&[1], count)
            .into_iter()
            .map(|(origin, view)| Lines { origin, squares: view, features: None, distances: None })
            .collect_vec();
        if let Some(features) = &mut features {
            let [outer, len, inner] = planes;
            let view = ViewMut::I32(features.view_mut()).into_shape(&[rank, outer, len, inner])?;
            for (block, (_, part)) in blocks.iter_mut().zip(view.split_blocks(&[0, 2], count)) {
                block.features = Some(part);
            }
        }
        if let (Some(distances), true) = (&mut distances, is_last) {
            let view = ViewMut::F64(distances.view_mut()).into_shape(&planes)?;
            for (block, (_, part)) in blocks.iter_mut().zip(view.split_blocks(&[1], count)) {
                block.distances = Some(part);
            }
        }
        threads::for_each_block(blocks, |block| {
            if axis == 0 && scans {
                pass.scan_first::<S>(block, marks, planes[2]);
            } else {
                pass.find::<S>(block);
            }
        });
    }
    Ok(())
}

/// A block of all that a pass along an axis writes: arrays of three axes, of which the middle one is whole. Features
/// have one more before them.
struct Lines<'a> {
    origin: Vec<usize>,
    squares: ViewMut<'a>,
    features: Option<ViewMut<'a>>,
    distances: Option<ViewMut<'a>>,
}

/// The step along one axis.
struct DistancePass {
    axis: usize,
    unit: f64,
    metric: LineMetric,
}

impl DistancePass {
    /// Find the nearest zero of each column.
    fn scan_first<S: Squared>(&self, block: Lines<'_>, marks: &[u8], inner: usize) {
        let squares = S::typed(block.squares).expect("the type of squares");
        let mut squares = squares.into_dimensionality::<Ix3>().expect("three axes");
        let mut features = block
            .features
            .and_then(i32::typed)
            .map(|features| features.into_dimensionality::<Ix4>().expect("four axes"));
        let first = block.origin[2];
        let (_, len, width) = squares.dim();
        let mut before = memory::zeros(len * COLUMNS.min(width));
        for start in (0..width).step_by(COLUMNS) {
            let end = (start + COLUMNS).min(width);
            let squares = squares.slice_mut(s![0, .., start..end]);
            let features = features.as_mut().map(|features| features.slice_mut(s![0, 0, .., start..end]));
            let (marks, before) = (&marks[first + start..], &mut before[..]);
            dispatch(ScanColumns { squares, features, marks, inner, spacing: self.metric.spacing, before });
        }
    }

    fn find<S: Squared>(&self, block: Lines<'_>) {
        let squares = S::typed(block.squares).expect("the type of squares");
        let mut squares = squares.into_dimensionality::<Ix3>().expect("three axes");
        let mut features = block
            .features
            .and_then(i32::typed)
            .map(|features| features.into_dimensionality::<Ix4>().expect("four axes"));
        let mut distances = block
            .distances
            .and_then(f64::typed)
            .map(|distances| distances.into_dimensionality::<Ix3>().expect("three axes"));
        let (outer, len, inner) = squares.dim();
        let step = if inner == 1 && squares.stride_of(Axis(1)) == 1 { 1 } else { S::LANES };
        let mut group = LineGroup::<S>::new(len, step);
        for at in 0..outer {
            let columns = step;
            for start in (0..inner).step_by(columns) {
                let range = Slice::from(start..(start + columns).min(inner));
                let mut lines = squares.index_axis_mut(Axis(0), at);
                lines.slice_axis_inplace(Axis(1), range);
                group.read(&lines);
                group.find(self.metric, features.is_some());
                if let Some(features) = &mut features {
                    for axis in 0..self.axis {
                        let mut lines = features.slice_mut(s![axis, at, .., ..]);
                        lines.slice_axis_inplace(Axis(1), range);
                        group.follow(lines);
                    }
                    let mut lines = features.slice_mut(s![self.axis, at, .., ..]);
                    lines.slice_axis_inplace(Axis(1), range);
                    group.write_nearest(lines);
                }
                if let Some(distances) = &mut distances {
                    let mut to = distances.index_axis_mut(Axis(0), at);
                    to.slice_axis_inplace(Axis(1), range);
                    group.write_roots(to, self.unit);
                } else {
                    group.write(lines);
                }
            }
            threads::check_interrupt();
        }
    }
}

/// Steps from the zeros of columns to each element.
struct ScanColumns<'a, S> {
    squares: ArrayViewMut2<'a, S>,
    features: Option<ArrayViewMut2<'a, i32>>,
    marks: &'a [u8],
    /// From one row of marks to the next.
    inner: usize,
    spacing: f64,
    /// Workspace for the columns.
    before: &'a mut [i32],
}

impl<S: Squared> Kernel for ScanColumns<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        /// More than the length of any axis, and less with it than 2^31.
        const FAR: i32 = 1 << 30;
        let Self { mut squares, mut features, marks, inner, spacing, before } = self;
        let (len, width) = squares.dim();
        let mut steps = [FAR; COLUMNS];
        let steps = &mut steps[..width];
        for (row, before) in before.chunks_exact_mut(width).take(len).enumerate() {
            let marks = &marks[row * inner..][..width];
            for ((to, steps), mark) in before.iter_mut().zip(steps.iter_mut()).zip(marks) {
                // 0 at a zero.
                *steps = (*steps + 1) & -i32::from(*mark);
                *to = *steps;
            }
        }
        steps.fill(FAR);
        for (row, before) in before.chunks_exact(width).take(len).enumerate().rev() {
            for (steps, before) in steps.iter_mut().zip(before) {
                *steps = if *before == 0 { 0 } else { *steps + 1 };
            }
            if let Some(features) = &mut features {
                let mut features = features.row_mut(row);
                let features = features.as_slice_mut().expect("contiguous rows");
                for (to, (after, before)) in features.iter_mut().zip(steps.iter().zip(before)) {
                    *to = row as i32 + if *before <= *after { -*before } else { *after };
                }
            }
            let mut squares = squares.row_mut(row);
            let squares = squares.as_slice_mut().expect("contiguous rows");
            for (square, (after, before)) in squares.iter_mut().zip(steps.iter().zip(before)) {
                let nearest = if *before <= *after { *before } else { *after };
                let own = S::ZERO.plus_square(f64::from(nearest) * spacing);
                *square = if nearest >= FAR { S::NONE } else { own };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    /// The least squared distance, and the zero that SciPy names: the first along the last axis, then along the one
    /// before it, and so on.
    fn plain(image: &ArrayD<u8>, spacings: &[f64]) -> (ArrayD<f64>, Vec<ArrayD<i32>>) {
        let zeros: Vec<IxDyn> =
            image.indexed_iter().filter(|(_, mark)| **mark == 0).map(|(at, _)| at).collect();
        let mut distances = ArrayD::zeros(image.raw_dim());
        let mut features = vec![ArrayD::zeros(image.raw_dim()); image.ndim()];
        for (at, _) in image.indexed_iter() {
            let square = |zero: &IxDyn| {
                (0..image.ndim())
                    .map(|axis| ((zero[axis] as f64 - at[axis] as f64) * spacings[axis]).powi(2))
                    .sum::<f64>()
            };
            let key = |zero: &&IxDyn| {
                (square(zero), (0..image.ndim()).rev().map(|axis| zero[axis]).collect::<Vec<_>>())
            };
            let nearest = zeros.iter().min_by(|a, b| key(a).partial_cmp(&key(b)).unwrap()).expect("a zero");
            distances[&at] = square(nearest).sqrt();
            (0..image.ndim()).for_each(|axis| features[axis][&at] = nearest[axis] as i32);
        }
        (distances, features)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]
        #[test]
        fn equals_a_search_of_all_zeros(
            shape in prop::collection::vec(1_usize..9, 0..3),
            last in 1_usize..70,
            marks in prop::collection::vec(0_u8..40, 700),
            least in 1_u8..40,
            spacings in prop::collection::vec(prop::sample::select(vec![1.0, 1.0, 2.0, 0.5, 3.0, 9.0]), 3),
            zero in 0_usize..9,
        ) {
            let shape: Vec<usize> = shape.into_iter().chain([last]).collect();
            let spacings = &spacings[..shape.len()];
            let mut marks = marks.iter().cycle();
            let mut image =
                ArrayD::from_shape_simple_fn(IxDyn(&shape), || u8::from(*marks.next().unwrap() >= least));
            let len = image.len();
            image.as_slice_mut().unwrap()[zero % len] = 0;
            let (expected, nearest) = plain(&image, spacings);
            let view = View::U8(image.view());
            at_every_level(2, || {
                let mut distances = ArrayD::<f64>::from_elem(image.raw_dim(), 7.0);
                let to = Some(ViewMut::F64(distances.view_mut()));
                prop_assert_eq!(euclidean(to, None, &view, Some(spacings)), Ok(true));
                prop_assert_eq!(&distances, &expected);
                let per_axis: Vec<usize> = [shape.len()].into_iter().chain(shape.clone()).collect();
                let mut features = ArrayD::<i32>::from_elem(IxDyn(&per_axis), 7);
                let to = Some(ViewMut::I32(features.view_mut()));
                prop_assert_eq!(euclidean(None, to, &view, Some(spacings)), Ok(true));
                for (axis, nearest) in nearest.iter().enumerate() {
                    prop_assert_eq!(&features.index_axis(Axis(0), axis), nearest);
                }
                Ok(())
            })?;
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let image = ArrayD::<u8>::zeros(vec![4, 4]);
        let view = View::U8(image.view());
        let mut wrong = ArrayD::<f64>::zeros(vec![4, 5]);
        let found = euclidean(Some(ViewMut::F64(wrong.view_mut())), None, &view, None);
        assert!(matches!(found, Err(KernelError::Shape(_))));
        let found = euclidean(None, None, &view, Some(&[1.0]));
        assert!(matches!(found, Err(KernelError::Shape(_))));
    }

    #[test]
    fn spacings_are_whole_multiples_of_a_power_of_two() {
        let units = |spacings: &[f64]| {
            WholeMetric::new(Some(spacings), &[100, 100]).map(|metric| (metric.spacings, metric.unit))
        };
        assert_eq!(units(&[0.5, 3.0]), Some((vec![1.0, 6.0], 0.5)));
        assert_eq!(units(&[8.0, 24.0]), Some((vec![1.0, 3.0], 8.0)));
        for refused in [[0.1, 1.0], [1.0, 0.0], [1.0, -1.0], [1.0, f64::NAN], [1.0, 400.0], [1e-300, 1e-300]]
        {
            assert_eq!(units(&refused), None);
        }
    }
}
