//! What is added for an element.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// What is added for an element.
pub(super) trait Term: Copy {
    /// A number that the terms of a run have in common.
    fn of_run(&self, label: u32, start: usize) -> f64;

    /// The term of the element this far from the start of its run.
    fn of_element(&self, value: f64, of_run: f64, place: f64) -> f64;

    /// The terms of eight elements of as many runs.
    ///
    /// # Safety
    ///
    /// The processor must have AVX-512 F.
    #[cfg(target_arch = "x86_64")]
    unsafe fn of_eight(&self, values: __m512d, of_run: __m512d, place: f64) -> __m512d;
}

/// The value.
#[derive(Clone, Copy)]
pub(super) struct Itself;

impl Term for Itself {
    #[inline(always)]
    fn of_run(&self, _: u32, _: usize) -> f64 {
        0.0
    }

    #[inline(always)]
    fn of_element(&self, value: f64, _: f64, _: f64) -> f64 {
        value
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn of_eight(&self, values: __m512d, _: __m512d, _: f64) -> __m512d {
        values
    }
}

/// The square of the difference from the label's mean.
#[derive(Clone, Copy)]
pub(super) struct SquareFrom<'a>(pub &'a [f64]);

impl Term for SquareFrom<'_> {
    #[inline(always)]
    fn of_run(&self, label: u32, _: usize) -> f64 {
        self.0.get(label as usize).copied().unwrap_or(0.0)
    }

    #[inline(always)]
    fn of_element(&self, value: f64, mean: f64, _: f64) -> f64 {
        let difference = value - mean;
        difference * difference
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn of_eight(&self, values: __m512d, means: __m512d, _: f64) -> __m512d {
        // SAFETY: the caller's.
        unsafe {
            let differences = _mm512_sub_pd(values, means);
            _mm512_mul_pd(differences, differences)
        }
    }
}

/// The value times a number.
#[derive(Clone, Copy)]
pub(super) struct Times(pub f64);

impl Term for Times {
    #[inline(always)]
    fn of_run(&self, _: u32, _: usize) -> f64 {
        0.0
    }

    #[inline(always)]
    fn of_element(&self, value: f64, _: f64, _: f64) -> f64 {
        value * self.0
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn of_eight(&self, values: __m512d, _: __m512d, _: f64) -> __m512d {
        // SAFETY: the caller's.
        unsafe { _mm512_mul_pd(values, _mm512_set1_pd(self.0)) }
    }
}

/// The value times its place in the line, in which the block starts at this one.
#[derive(Clone, Copy)]
pub(super) struct TimesPlace(pub usize);

impl Term for TimesPlace {
    #[inline(always)]
    fn of_run(&self, _: u32, start: usize) -> f64 {
        (self.0 + start) as f64
    }

    #[inline(always)]
    fn of_element(&self, value: f64, first: f64, place: f64) -> f64 {
        // Whole numbers, of which the sum is exact.
        value * (first + place)
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn of_eight(&self, values: __m512d, first: __m512d, place: f64) -> __m512d {
        // SAFETY: the caller's.
        unsafe { _mm512_mul_pd(values, _mm512_add_pd(first, _mm512_set1_pd(place))) }
    }
}
