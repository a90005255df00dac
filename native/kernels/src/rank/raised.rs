//! The smallest or largest sample of a window after adding a height to each: grey erosion and dilation with a
//! structure.

use crate::array::sample::{Bool, Cast};
use crate::array::view::{View, ViewMut, write_line};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Kernel, dispatch};
use crate::rank::key::Rankable;
use crate::rank::layout::{Layout, lines};
use crate::rank::plan::{RankPlan, Window};
use crate::{match_dtype, memory};
use std::ops::Range;

/// A sample that a height can be added to in its own type; integers wrap.
trait Raise: Rankable {
    const MIN: Self;
    const MAX: Self;
    fn raise(self, height: Self) -> Self;
    fn less(self, other: Self) -> bool;
}

macro_rules! raise_integers {
    ($($type:ty),*) => {
        $(impl Raise for $type {
            const MIN: Self = <$type>::MIN;
            const MAX: Self = <$type>::MAX;

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
            const MIN: Self = <$type>::NEG_INFINITY;
            const MAX: Self = <$type>::INFINITY;

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
    const MIN: Self = Self(u8::MIN);
    const MAX: Self = Self(u8::MAX);

    #[inline(always)]
    fn raise(self, height: Self) -> Self {
        Self(self.0.wrapping_add(height.0))
    }

    #[inline(always)]
    fn less(self, other: Self) -> bool {
        self.0 < other.0
    }
}

/// The smallest or largest sample in the window around each pixel, after adding a height to each.
///
/// `heights` has one entry per selected cell of the window. They are added as in SciPy: the first as `f64`, the others
/// in the samples' type. Both arrays are C-contiguous.
///
/// # Errors
///
/// If the window or the heights do not fit, or if there is no memory for a band of the image with its border.
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
    let plan = RankPlan::new(input.shape(), window, 0, border, input.sample_bytes())?;
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
            dispatch(RaiseRow { padded, taps, heights, worst: T::MIN, better, others, best });
        } else {
            let better = |new: T, old: T| new.less(old);
            dispatch(RaiseRow { padded, taps, heights, worst: T::MAX, better, others, best });
        }
        let (to, tail) = output.split_at(0, row);
        output = tail;
        match_dtype!(ViewMut, to, to => {
            write_line(to.into_dimensionality().expect("one axis"), best, Cast::Filtered);
        });
    }
}

/// One row of results. SciPy compares in `f64`, but every sample except the first has a value of its own type.
struct RaiseRow<'a, T: Rankable, F> {
    padded: &'a [T::Key],
    taps: &'a [usize],
    heights: &'a [f64],
    /// No sample is worse than this.
    worst: T,
    /// Must be false for NaN.
    better: F,
    /// Workspace for the best of all samples but the first.
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
        let largest = better(T::MAX, T::MIN);
        for (best, other) in best.iter_mut().zip(others.iter()) {
            let other = other.to_f64();
            *best = if if largest { other > *best } else { other < *best } { other } else { *best };
        }
    }
}
