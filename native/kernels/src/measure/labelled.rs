//! Labels as table indices, and lines of labels with the values they belong to.

use crate::array::index::advance;
use crate::array::sample::{Bool, Sample, to_i64_like_x86};
use crate::array::view::View;
use crate::error::{KernelError, Result};
use crate::exec::simd::{Level, level};
use crate::exec::threads;
use crate::match_dtype;
use crate::measure::run_buffer::{Numbering, RunBuffer};
#[cfg(target_arch = "x86_64")]
use crate::measure::runs::avx512;
use crate::memory;
use ndarray::{ArrayViewD, Axis};

/// Elements per block: labels and values of one stay in the first cache.
const BLOCK: usize = 1024;

/// Elements between two checks for an interrupt.
const CHECK_EVERY: usize = 1 << 20;

/// An element read as a label.
pub(super) trait Label: Sample {
    /// The label, modulo 2^64.
    fn to_i64(self) -> i64;

    /// An integer of 64 bits in the same order as others of its type.
    #[inline(always)]
    fn ordered(self) -> i64 {
        self.to_i64()
    }

    /// The label less one, in C's arithmetic of the element's type: the index of its object.
    fn object(self) -> i64;

    /// Find runs with AVX-512, if they are integers and the processor has it; return whether they are found.
    fn find_wide(_labels: &[Self], _buffer: &mut RunBuffer, _numbering: Numbering) -> bool {
        false
    }
}

/// Runs of integers.
macro_rules! find_wide {
    () => {
        #[cfg(target_arch = "x86_64")]
        fn find_wide(labels: &[Self], buffer: &mut RunBuffer, numbering: Numbering) -> bool {
            if level() != Level::Avx512 {
                return false;
            }
            // SAFETY: the level says that the processor has it.
            unsafe {
                match numbering {
                    Numbering::Itself => avx512::find::<Self, false>(labels, buffer),
                    Numbering::Object => avx512::find::<Self, true>(labels, buffer),
                }
            }
            true
        }
    };
}

macro_rules! integer_label {
    ($($type:ty),*) => {
        $(
            impl Label for $type {
                find_wide!();

                #[inline(always)]
                fn to_i64(self) -> i64 {
                    self as i64
                }

                #[inline(always)]
                fn object(self) -> i64 {
                    (self as i64).wrapping_sub(1)
                }
            }
        )*
    };
}

integer_label!(u8, i8, u16, i16, i32, i64);

impl Label for u64 {
    find_wide!();

    #[inline(always)]
    fn to_i64(self) -> i64 {
        self as i64
    }

    #[inline(always)]
    fn ordered(self) -> i64 {
        (self ^ (1 << 63)) as i64
    }

    #[inline(always)]
    fn object(self) -> i64 {
        self.wrapping_sub(1) as i64
    }
}

impl Label for u32 {
    find_wide!();

    #[inline(always)]
    fn to_i64(self) -> i64 {
        i64::from(self)
    }

    #[inline(always)]
    fn object(self) -> i64 {
        i64::from(self.wrapping_sub(1))
    }
}

impl Label for Bool {
    #[inline(always)]
    fn to_i64(self) -> i64 {
        i64::from(self.0)
    }

    #[inline(always)]
    fn object(self) -> i64 {
        i64::from(self.0) - 1
    }
}

macro_rules! float_label {
    ($($type:ty),*) => {
        $(
            impl Label for $type {
                #[inline(always)]
                fn to_i64(self) -> i64 {
                    to_i64_like_x86(f64::from(self))
                }

                #[inline(always)]
                fn object(self) -> i64 {
                    to_i64_like_x86(f64::from(self - 1.0))
                }
            }
        )*
    };
}

float_label!(f32, f64);

/// Call `work` with the index of each line along the last axis and its elements, in C order.
#[inline(always)]
pub(super) fn for_each_line<T: Sample>(array: &ArrayViewD<'_, T>, mut work: impl FnMut(&[usize], &[T])) {
    let last = array.ndim() - 1;
    let outer = &array.shape()[..last];
    let mut index = memory::zeros(last);
    let mut copied = Vec::new();
    let mut unchecked = 0;
    for lane in array.lanes(Axis(last)) {
        match lane.to_slice() {
            Some(line) => work(&index, line),
            None => {
                copied.clear();
                memory::extend(&mut copied, lane.iter().copied());
                work(&index, &copied);
            }
        }
        advance(&mut index, outer);
        unchecked += lane.len();
        if unchecked >= CHECK_EVERY {
            unchecked = 0;
            threads::check_interrupt();
        }
    }
}

/// Part of a line: where it begins, and the labels of its elements with a number subtracted.
pub(super) struct LabelBlock<'a> {
    /// Elements before it in C order.
    pub position: usize,
    /// Index of its line along all axes but the last.
    pub line: &'a [usize],
    /// Place of its first element in the line.
    pub start: usize,
    pub labels: &'a [u32],
}

/// Call `work` with each block in C order, not inlined: it would be compiled for each type of labels. Labels are taken modulo 2^32 after `base` was subtracted.
pub(super) fn for_each_block(labels: &View<'_>, base: i64, work: &mut dyn FnMut(LabelBlock<'_>)) {
    let mut buffer = [0_u32; BLOCK];
    let mut position = 0;
    match_dtype!(View, labels, array => for_each_line(array, |line, labels| {
        for (number, labels) in labels.chunks(BLOCK).enumerate() {
            let buffer = &mut buffer[..labels.len()];
            for (to, label) in buffer.iter_mut().zip(labels) {
                *to = label.to_i64().wrapping_sub(base) as u32;
            }
            work(LabelBlock { position, line, start: number * BLOCK, labels: buffer });
            position += labels.len();
        }
    }));
}

/// What values of labelled elements are read as.
pub(super) trait Value: Copy + Default + PartialOrd + Send + Sync + 'static {
    /// The value as a `f64`, or an integer in the same order.
    fn of<T: Label>(sample: T) -> Self;
}

impl Value for f64 {
    #[inline(always)]
    fn of<T: Label>(sample: T) -> Self {
        sample.to_f64()
    }
}

impl Value for i64 {
    #[inline(always)]
    fn of<T: Label>(sample: T) -> Self {
        sample.ordered()
    }
}

/// Call `work` with each block of labels and the values that belong to it.
pub(super) fn for_each_pair<V: Value>(
    labels: &View<'_>,
    values: &View<'_>,
    work: &mut dyn FnMut(LabelBlock<'_>, &[V]),
) -> Result<()> {
    let shape = labels.shape();
    if values.shape() != shape || shape.is_empty() {
        return Err(KernelError::shape(format!(
            "labels of shape {shape:?} of values of shape {:?}",
            values.shape()
        )));
    }
    let mut buffer = [V::default(); BLOCK];
    match_dtype!(View, values, array => {
        let last = Axis(array.ndim() - 1);
        let mut lanes = array.lanes(last).into_iter();
        let mut lane = lanes.next();
        for_each_block(labels, 0, &mut |block| {
            let (start, count) = (block.start, block.labels.len());
            let Some(values) = &lane else { return };
            let buffer = &mut buffer[..count];
            match values.to_slice() {
                Some(values) => {
                    let values = &values[start..start + count];
                    buffer.iter_mut().zip(values).for_each(|(to, value)| *to = V::of(*value));
                }
                None => (0..count).for_each(|at| buffer[at] = V::of(values[start + at])),
            }
            let is_last = start + count == values.len();
            work(block, buffer);
            if is_last {
                lane = lanes.next();
            }
        });
    });
    Ok(())
}
