//! Memory that grows with the arguments of a call. Kernels and bindings take it here, and nowhere else.
//!
//! `vec![0.0; len]`, `collect` and `push` abort the process when memory runs out. The functions of this file end the
//! call instead: they unwind with [`KernelError::Memory`], on whichever thread, up to [`caught`], which every kernel runs
//! in ([`threads::interruptible`](crate::exec::threads::interruptible)). Unwinding instead of returning `Result`, because
//! workers, closures and SIMD loops would all have to pass it on.
//!
//! `clippy.toml` refuses the methods that abort. They stay for what has a fixed size: the box of a worker, the text of an
//! error, a job of the thread pool.

// The one place where these methods are called.
#![allow(clippy::disallowed_methods)]

use crate::array::sample::Bool;
use crate::error::{KernelError, Result};
use ndarray::{ArrayD, IxDyn};
use std::alloc::{Layout, alloc_zeroed};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Types whose value is zero when all their bytes are.
///
/// # Safety
///
/// Bytes that are all zero must be a valid value.
pub unsafe trait Zero: Copy {}

macro_rules! zero {
    ($($type:ty),*) => {
        $(
            // SAFETY: a number, or a boolean: zero, or false, has no bit set.
            unsafe impl Zero for $type {}
        )*
    };
}

zero!(bool, Bool, u8, i8, u16, i16, u32, i32, u64, i64, usize, isize, f32, f64);

// SAFETY: an array is its elements and nothing else.
unsafe impl<T: Zero, const N: usize> Zero for [T; N] {}

/// `len` zeros. The system hands out large pieces zeroed, page by page as they are touched: nothing is written here.
pub fn zeros<T: Zero>(len: usize) -> Vec<T> {
    const { assert!(size_of::<T>() > 0, "a vector of what has no size has no length here") };
    let Ok(layout) = Layout::array::<T>(len) else { run_out::<T>(len) };
    if len == 0 {
        return Vec::new();
    }
    // SAFETY: there are elements, and each has a size.
    let start = unsafe { alloc_zeroed(layout) }.cast::<T>();
    if start.is_null() {
        run_out::<T>(len);
    }
    // SAFETY: `start` comes from the global allocator with the layout of `len` elements, all of which are zero, a valid
    // value.
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

/// No elements yet, but memory for `len`.
pub fn with_capacity<T>(len: usize) -> Vec<T> {
    let mut elements = Vec::new();
    if elements.try_reserve_exact(len).is_err() {
        run_out::<T>(len);
    }
    elements
}

/// A copy of some elements.
pub fn copy<T: Clone>(elements: &[T]) -> Vec<T> {
    let mut copied = with_capacity(elements.len());
    copied.extend_from_slice(elements);
    copied
}

/// As `to.extend_from_slice(elements)`.
pub fn extend_from_slice<T: Clone>(to: &mut Vec<T>, elements: &[T]) {
    reserve(to, elements.len());
    to.extend_from_slice(elements);
}

/// As `to.push(value)`.
#[inline]
pub fn push<T>(to: &mut Vec<T>, value: T) {
    if to.len() == to.capacity() {
        reserve(to, 1);
    }
    to.push(value);
}

/// As `to.extend(from)`.
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

/// As `to.resize(len, value)`.
pub fn resize<T: Clone>(to: &mut Vec<T>, len: usize, value: T) {
    reserve(to, len.saturating_sub(to.len()));
    to.resize(len, value);
}

/// Collecting into a vector.
pub trait CollectVec: Iterator + Sized {
    /// As `collect::<Vec<_>>()`.
    #[inline]
    fn collect_vec(self) -> Vec<Self::Item> {
        let mut elements = with_capacity(self.size_hint().0);
        extend(&mut elements, self);
        elements
    }
}

impl<I: Iterator> CollectVec for I {}

/// Refuse a call that will need memory for so many elements, before anything is written. Nothing is kept.
pub(crate) fn check<T>(len: usize) -> Result<()> {
    caught(|| {
        // Memory that nobody looks at would not even be asked for.
        std::hint::black_box(with_capacity::<T>(len));
        Ok(())
    })
}

/// What `work` returns, or the [`KernelError`] that it unwinds with.
pub fn caught<R>(work: impl FnOnce() -> Result<R>) -> Result<R> {
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

/// End the call. Not a panic: no message is printed.
#[cold]
fn run_out<T>(len: usize) -> ! {
    let bytes = len.saturating_mul(size_of::<T>());
    resume_unwind(Box::new(KernelError::memory(format!("no memory for a working buffer of {bytes} bytes"))))
}

#[cfg(test)]
mod tests;
