//! The smallest or largest sample, which needs no sorting, and the same with a height added to each sample.

use super::key::{Key, Rankable};
use super::layout::{Cells, Dim, Layout, lines};
use super::{Plan, Window};
use crate::array::sample::{Bool, Cast};
use crate::array::view::{View, ViewMut, write_line};
use crate::border::Border;
use crate::doubling::{cover, levels_for};
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::match_dtype;
use crate::memory::{self, CollectVec};
use std::ops::Range;

/// Keys that are compared together: long loops for wide registers, in the first-level cache.
const BLOCK: usize = 1024;

/// The extreme key of a window, read as runs of neighbours along one axis.
#[derive(Debug)]
pub(super) struct Extreme {
    largest: bool,
    /// From one neighbour to the next, in a padded band.
    step: usize,
    levels: u32,
    /// A level, and the offset of a run in it.
    reads: Vec<(usize, usize)>,
}

impl Extreme {
    pub(super) fn new(cells: &Cells<'_>, largest: bool) -> Self {
        let along = |axis: usize| {
            let runs = cells.lengths(axis);
            let levels = levels_for(&runs.iter().map(|run| run.1).collect_vec());
            let step = cells.strides[axis];
            let reads: Vec<_> = runs
                .iter()
                .flat_map(|&(offset, len)| {
                    cover(len, levels).map(move |(level, start)| (level, offset + start * step))
                })
                .collect_vec();
            Self { largest, step, levels, reads }
        };
        (0..cells.axes.len())
            .rev()
            .map(along)
            .min_by_key(|extreme| extreme.reads.len() + extreme.levels as usize)
            .expect("at least one axis")
    }

    /// Select for the rows of `row` samples that begin at the places of `dims`.
    pub(super) fn select<K: Key>(&self, padded: &[K], dims: &[Dim], row: usize, out: &mut [K]) {
        if self.largest {
            dispatch(Select { extreme: self, padded, dims, row, out, choose: K::max });
        } else {
            dispatch(Select { extreme: self, padded, dims, row, out, choose: K::min });
        }
    }
}

struct Select<'a, K, F> {
    extreme: &'a Extreme,
    padded: &'a [K],
    dims: &'a [Dim],
    row: usize,
    out: &'a mut [K],
    choose: F,
}

impl<K: Key, F: Fn(K, K) -> K> Kernel for Select<'_, K, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { extreme, padded, dims, row, out, choose } = self;
        let mut made: Vec<Vec<K>> = Vec::new();
        for level in 0..extreme.levels {
            let below = made.last().map_or(padded, Vec::as_slice);
            let ahead = &below[(extreme.step << level).min(below.len())..];
            let level = below.iter().zip(ahead).map(|(near, far)| choose(*near, *far)).collect_vec();
            memory::push(&mut made, level);
        }
        let levels: Vec<&[K]> = std::iter::once(padded).chain(made.iter().map(Vec::as_slice)).collect_vec();
        for line in lines(dims) {
            for (part, out) in out[line.out..line.out + row].chunks_mut(BLOCK).enumerate() {
                let at = line.padded + part * BLOCK;
                for (count, (level, offset)) in extreme.reads.iter().enumerate() {
                    let keys = &levels[*level][at + offset..at + offset + out.len()];
                    if count == 0 {
                        out.copy_from_slice(keys);
                    } else {
                        out.iter_mut().zip(keys).for_each(|(best, key)| *best = choose(*best, *key));
                    }
                }
            }
        }
    }
}

/// A sample that a height can be added to, in its own type: integers wrap.
trait Raise: Rankable {
    const LEAST: Self;
    const GREATEST: Self;
    fn raise(self, height: Self) -> Self;
    fn less(self, other: Self) -> bool;
}

macro_rules! raise_integers {
    ($($type:ty),*) => {
        $(impl Raise for $type {
            const LEAST: Self = <$type>::MIN;
            const GREATEST: Self = <$type>::MAX;

            #[inline(always)]
            fn raise(self, height: Self) -> Self {
                self.wrapping_add(height)
            }

            #[inline(always)]
            fn less(self, other: Self) -> bool {
                self < other
            }
        })*
    };
}

macro_rules! raise_floats {
    ($($type:ty),*) => {
        $(impl Raise for $type {
            const LEAST: Self = <$type>::NEG_INFINITY;
            const GREATEST: Self = <$type>::INFINITY;

            #[inline(always)]
            fn raise(self, height: Self) -> Self {
                self + height
            }

            #[inline(always)]
            fn less(self, other: Self) -> bool {
                self < other
            }
        })*
    };
}

raise_integers!(u8, i8, u16, i16, u32, i32, u64, i64);
raise_floats!(f32, f64);

impl Raise for Bool {
    const LEAST: Self = Self(u8::MIN);
    const GREATEST: Self = Self(u8::MAX);

    #[inline(always)]
    fn raise(self, height: Self) -> Self {
        Self(self.0.wrapping_add(height.0))
    }

    #[inline(always)]
    fn less(self, other: Self) -> bool {
        self.0 < other.0
    }
}

/// The smallest or largest of the samples in the window around each pixel, each with a height added.
///
/// `heights` has one for each cell of the window that counts. They are added as SciPy adds them: the first as `f64`,
/// the others in the samples' type. Both arrays are in C order.
///
/// # Errors
///
/// When the window or the heights do not fit, and when there is no memory for a band of the image with its border.
pub fn raised_extremum(
    input: &View<'_>,
    output: ViewMut<'_>,
    window: Window<'_>,
    heights: &[f64],
    largest: bool,
    border: Border,
    fill: f64,
) -> Result<()> {
    if input.shape() != output.shape() {
        return Err(KernelError::shape("the input and the output have different shapes"));
    }
    let plan = Plan::new(input.shape(), window, 0, border, input.sample_bytes())?;
    if heights.len() != plan.taps.len() {
        let message = format!("{} heights for a window of {} samples", heights.len(), plan.taps.len());
        return Err(KernelError::shape(message));
    }
    if input.is_empty() {
        return Ok(());
    }
    match_dtype!(View, input, array => {
        let data = array.as_slice().ok_or_else(|| KernelError::shape("the input is not in C order"))?;
        plan.layout.for_each_band(output, heights.len(), |rows, padded, band| {
            raise_band(&plan.layout, &plan.taps, data, rows, padded, band, heights, largest, fill);
        })
    })
}

fn raise_band<T: Raise>(
    layout: &Layout,
    taps: &[usize],
    data: &[T],
    rows: Range<usize>,
    padded: &mut [T::Key],
    mut output: ViewMut<'_>,
    heights: &[f64],
    largest: bool,
    fill: f64,
) {
    layout.pad(data, &rows, T::key, T::from_f64_truncated(fill).key(), padded);
    let mut dims = layout.dims(rows.len());
    let row = dims.pop().map_or(0, |last| last.len * last.out);
    let (mut best, mut others) = (memory::zeros(row), memory::zeros(row));
    for line in lines(&dims) {
        let padded = &padded[line.padded..];
        let (best, others) = (best.as_mut_slice(), others.as_mut_slice());
        if largest {
            let better = |new: T, old: T| old.less(new);
            dispatch(RaiseRow { padded, taps, heights, worst: T::LEAST, better, others, best });
        } else {
            let better = |new: T, old: T| new.less(old);
            dispatch(RaiseRow { padded, taps, heights, worst: T::GREATEST, better, others, best });
        }
        let (to, behind) = output.split_at(0, row);
        output = behind;
        match_dtype!(ViewMut, to, to => {
            write_line(to.into_dimensionality().expect("one axis"), best, Cast::Filtered);
        });
    }
}

/// One row of results. SciPy compares in `f64`, but every sample except the first has the values of its own type.
struct RaiseRow<'a, T: Rankable, F> {
    padded: &'a [T::Key],
    taps: &'a [usize],
    heights: &'a [f64],
    /// What every sample is at least as good as.
    worst: T,
    /// False for NaN.
    better: F,
    /// Room for the best of all samples but the first.
    others: &'a mut [T],
    best: &'a mut [f64],
}

impl<T: Raise, F: Fn(T, T) -> bool> Kernel for RaiseRow<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { padded, taps, heights, worst, better, others, best } = self;
        let len = best.len();
        let mut samples = taps.iter().zip(heights).map(|(tap, height)| (&padded[*tap..*tap + len], *height));
        let Some((keys, height)) = samples.next() else { return };
        best.iter_mut().zip(keys).for_each(|(best, key)| *best = T::from_key(*key).to_f64() + height);
        if taps.len() == 1 {
            return;
        }
        others.fill(worst);
        for (keys, height) in samples {
            let height = T::from_f64_truncated(height);
            for (other, key) in others.iter_mut().zip(keys) {
                let raised = T::from_key(*key).raise(height);
                *other = if better(raised, *other) { raised } else { *other };
            }
        }
        let largest = better(T::GREATEST, T::LEAST);
        for (best, other) in best.iter_mut().zip(others.iter()) {
            let other = other.to_f64();
            *best = if if largest { other > *best } else { other < *best } { other } else { *best };
        }
    }
}
