//! Allocation of memory whose size depends on a call's arguments. Kernels and bindings allocate here and nowhere else.
//!
//! `vec![0.0; len]`, `collect` and `push` abort the process when memory runs out. The functions of this file end only
//! the call: they unwind with [`KernelError::Memory`], on any thread, to [`catch_memory_error`], inside which every
//! kernel runs (see [`threads::interruptible`](crate::exec::threads::interruptible)). They unwind instead of returning
//! a `Result` because workers, closures and SIMD loops would all have to pass it on.
//!
//! `clippy.toml` refuses the methods that abort. They remain for memory of fixed size: a worker's box, an error
//! message, a job of the thread pool.

// The only place where these methods are called.
#![allow(clippy::disallowed_methods)]

use crate::error::{KernelError, Result};
use ndarray::{ArrayD, IxDyn};
use std::alloc::{Layout, alloc_zeroed};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Types for which all-zero bytes are the value zero.
///
/// # Safety
///
/// All-zero bytes must be a valid value.
pub unsafe trait Zero: Copy {}

macro_rules! zero {
    ($($type:ty),*) => {
        $(
            // SAFETY: for numbers and `bool`, zero bits are the values zero and false.
            unsafe impl Zero for $type {}
        )*
    };
}

zero!(bool, u8, i8, u16, i16, u32, i32, u64, i64, usize, isize, f32, f64);

// SAFETY: an array consists of its elements only.
unsafe impl<T: Zero, const N: usize> Zero for [T; N] {}

/// `len` zeros. The system maps large allocations as zeroed pages on first use, so nothing is written here.
pub fn zeros<T: Zero>(len: usize) -> Vec<T> {
    const { assert!(size_of::<T>() > 0, "a vector of what has no size has no length here") };
    let Ok(layout) = Layout::array::<T>(len) else { run_out::<T>(len) };
    if len == 0 {
        return Vec::new();
    }
    // SAFETY: the layout is not empty: `len` > 0 and elements have a size.
    let start = unsafe { alloc_zeroed(layout) }.cast::<T>();
    if start.is_null() {
        run_out::<T>(len);
    }
    // SAFETY: `start` comes from the global allocator with the layout of `len` elements, all zero, which is valid.
    unsafe { Vec::from_raw_parts(start, len, len) }
}

/// An array of zeros in C order.
pub fn zero_array<T: Zero>(shape: &[usize]) -> ArrayD<T> {
    let len = shape.iter().try_fold(1_usize, |len, axis| len.checked_mul(*axis));
    let elements = zeros(len.unwrap_or_else(|| run_out::<T>(usize::MAX)));
    ArrayD::from_shape_vec(IxDyn(shape), elements).expect("as many elements as the shape has")
}

/// `len` copies of a value.
pub fn filled<T: Clone>(value: T, len: usize) -> Vec<T> {
    let mut elements = with_capacity(len);
    elements.resize(len, value);
    elements
}

/// An empty vector with capacity for `len` elements.
pub fn with_capacity<T>(len: usize) -> Vec<T> {
    let mut elements = Vec::new();
    if elements.try_reserve_exact(len).is_err() {
        run_out::<T>(len);
    }
    elements
}

/// A copy of `elements`.
pub fn copy<T: Clone>(elements: &[T]) -> Vec<T> {
    let mut copied = with_capacity(elements.len());
    copied.extend_from_slice(elements);
    copied
}

/// Like `to.extend_from_slice(elements)`.
pub fn extend_from_slice<T: Clone>(to: &mut Vec<T>, elements: &[T]) {
    reserve(to, elements.len());
    to.extend_from_slice(elements);
}

/// Like `to.push(value)`.
#[inline]
pub fn push<T>(to: &mut Vec<T>, value: T) {
    if to.len() == to.capacity() {
        reserve(to, 1);
    }
    to.push(value);
}

/// Like `to.extend(from)`.
#[inline]
pub fn extend<T>(to: &mut Vec<T>, from: impl IntoIterator<Item = T>) {
    let from = from.into_iter();
    match from.size_hint() {
        (least, Some(most)) if least == most => {
            reserve(to, most);
            to.extend(from);
        }
        (least, _) => {
            reserve(to, least);
            from.for_each(|value| push(to, value));
        }
    }
}

/// Like `to.resize(len, value)`.
pub fn resize<T: Clone>(to: &mut Vec<T>, len: usize, value: T) {
    reserve(to, len.saturating_sub(to.len()));
    to.resize(len, value);
}

/// `collect` into a vector.
pub trait CollectVec: Iterator + Sized {
    /// Like `collect::<Vec<_>>()`.
    #[inline]
    fn collect_vec(self) -> Vec<Self::Item> {
        let mut elements = with_capacity(self.size_hint().0);
        extend(&mut elements, self);
        elements
    }
}

impl<I: Iterator> CollectVec for I {}

/// Fail early if `len` elements could not be allocated, before anything is written. The memory is freed at once.
pub(crate) fn check<T>(len: usize) -> Result<()> {
    catch_memory_error(|| {
        // Without the black box the unused allocation would be optimized away.
        std::hint::black_box(with_capacity::<T>(len));
        Ok(())
    })
}

/// Run `work`, and turn a [`KernelError`] that it unwinds with into an error.
pub fn catch_memory_error<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| match payload.downcast::<KernelError>() {
        Ok(refused) => Err(*refused),
        Err(panic) => resume_unwind(panic),
    })
}

fn reserve<T>(to: &mut Vec<T>, more: usize) {
    if to.try_reserve(more).is_err() {
        run_out::<T>(to.len().saturating_add(more));
    }
}

/// Unwind without a panic, so that no message is printed.
#[cold]
fn run_out<T>(len: usize) -> ! {
    let bytes = len.saturating_mul(size_of::<T>());
    resume_unwind(Box::new(KernelError::memory(format!("no memory for a working buffer of {bytes} bytes"))))
}

#[cfg(test)]
mod tests;
