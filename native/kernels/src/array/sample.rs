//! The eleven element types, and the only place with the cast rules between them and `f64`.
//!
//! SciPy computes in `double` and stores with C casts. Out-of-range casts are undefined in C. SciPy's x86-64 build uses
//! the `cvttsd2si` instruction, which returns the most negative integer for anything that does not fit, and then drops
//! the high bits. These rules reproduce that for every input, NaN included.

use crate::memory::Zero;
use std::any::TypeId;

/// `(int32_t)x` as `cvttsd2si r32` does it: truncate; out of range or NaN gives `i32::MIN`.
#[inline(always)]
pub fn to_i32_like_x86(x: f64) -> i32 {
    // Both ends are exact in f64. A value above -2147483649 truncates to a representable integer.
    let x = if x > -2_147_483_649.0 && x < 2_147_483_648.0 { x } else { -2_147_483_648.0 };
    // SAFETY: values that do not fit, NaN included, were replaced. The saturating conversion does not vectorize.
    unsafe { x.to_int_unchecked() }
}

/// `(int64_t)x` as `cvttsd2si r64` does it: truncate; out of range or NaN gives `i64::MIN`.
#[inline(always)]
pub fn to_i64_like_x86(x: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let x = if (-LIMIT..LIMIT).contains(&x) { x } else { -LIMIT };
    // SAFETY: as above.
    unsafe { x.to_int_unchecked() }
}

/// `(uint64_t)x` as compilers lower it on x86-64: one signed conversion, shifted down by 2^63 above that.
#[inline(always)]
pub fn to_u64_like_x86(x: f64) -> u64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if x >= LIMIT { (to_i64_like_x86(x - LIMIT) as u64) ^ (1 << 63) } else { to_i64_like_x86(x) as u64 }
}

/// One byte of a NumPy boolean array. SciPy may store a byte other than 0 and 1 there, which `bool` must not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(transparent)]
pub struct Bool(pub u8);

impl Bool {
    /// A stored byte: any other than 0 is true.
    pub fn from_le_bytes([byte]: [u8; 1]) -> Self {
        Self(u8::from(byte != 0))
    }
}

// SAFETY: one byte, and zero is a valid value.
unsafe impl Zero for Bool {}

/// An element of an image array.
pub trait Sample: Zero + Send + Sync + Default + PartialEq + std::fmt::Debug + 'static {
    /// Whether every value is finite.
    const FINITE: bool = true;

    /// The same elements as `u8`, if that is their type.
    fn as_bytes(_elements: &[Self]) -> Option<&[u8]> {
        None
    }

    /// The same elements as `u8` to be written, if that is their type.
    fn as_bytes_mut(_elements: &mut [Self]) -> Option<&mut [u8]> {
        None
    }

    /// The same elements as `f64`, if that is their type.
    fn as_doubles(_elements: &[Self]) -> Option<&[f64]> {
        None
    }

    /// The same elements, if they are of this type.
    fn same_type<O: Sample>(elements: &mut [O]) -> Option<&mut [Self]> {
        if TypeId::of::<O>() != TypeId::of::<Self>() {
            return None;
        }
        // SAFETY: both are the same type.
        Some(unsafe { std::slice::from_raw_parts_mut(elements.as_mut_ptr().cast(), elements.len()) })
    }

    /// What an interpolating function stores of one sample times one: nothing changes but -0.0 and what `f64` does not
    /// hold.
    #[inline(always)]
    fn through_f64(self) -> Self {
        let is_exact = Self::FINITE && size_of::<Self>() < size_of::<f64>();
        if is_exact { self } else { Self::from_f64_rounded(self.to_f64() + 0.0) }
    }

    /// The C conversion to `double` (rounds to nearest above 2^53).
    fn to_f64(self) -> f64;

    /// The cast of line filters and spline filters: the plain C cast (truncates, wraps).
    fn from_f64_truncated(x: f64) -> Self;

    /// The cast of the interpolating functions: half away from zero, then clipped; booleans truncate and wrap.
    fn from_f64_rounded(x: f64) -> Self;

    /// The cast of N-D filters: unsigned types negate the cast of the negated value at and below -1.
    fn from_f64_filtered(x: f64) -> Self;
}

/// `(int32_t)x` for a value within 16 bits, or NaN. For NaN only the low 16 bits equal those of `cvttsd2si`: zero.
#[inline(always)]
fn clipped_to_i32(x: f64) -> i32 {
    let x = if x.is_nan() { 0.0 } else { x };
    // SAFETY: callers clip to a type of at most 16 bits, and NaN was replaced. Measured: three times as fast as the
    // saturating conversion, which does not vectorize.
    unsafe { x.to_int_unchecked() }
}

macro_rules! signed_sample {
    ($type:ty, $convert:ident, $convert_clipped:ident) => {
        impl Sample for $type {
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn from_f64_truncated(x: f64) -> Self {
                $convert(x) as $type
            }

            #[inline(always)]
            fn from_f64_rounded(x: f64) -> Self {
                let x = if x > 0.0 { x + 0.5 } else { x - 0.5 };
                // The 64-bit limit rounds up to 2^63, which does not compare above itself: it is converted, and
                // overflows.
                if x > <$type>::MAX as f64 {
                    <$type>::MAX
                } else if x < <$type>::MIN as f64 {
                    <$type>::MIN
                } else {
                    $convert_clipped(x) as $type
                }
            }

            #[inline(always)]
            fn from_f64_filtered(x: f64) -> Self {
                Self::from_f64_truncated(x)
            }
        }
    };
}

macro_rules! unsigned_sample {
    ($type:ty, $convert:ident, $convert_clipped:ident $(, $own:item)*) => {
        impl Sample for $type {
            $($own)*

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn from_f64_truncated(x: f64) -> Self {
                $convert(x) as $type
            }

            #[inline(always)]
            fn from_f64_rounded(x: f64) -> Self {
                let x = if x > 0.0 { x + 0.5 } else { 0.0 };
                // The compiled SciPy converts the limit too: in 64 bits it is 2^64, which overflows.
                let x = if x > <$type>::MAX as f64 { <$type>::MAX as f64 } else { x };
                $convert_clipped(x) as $type
            }

            #[inline(always)]
            fn from_f64_filtered(x: f64) -> Self {
                if x > -1.0 {
                    Self::from_f64_truncated(x)
                } else {
                    Self::from_f64_truncated(-x).wrapping_neg()
                }
            }
        }
    };
}

signed_sample!(i8, to_i32_like_x86, clipped_to_i32);
signed_sample!(i16, to_i32_like_x86, clipped_to_i32);
signed_sample!(i32, to_i32_like_x86, to_i32_like_x86);
signed_sample!(i64, to_i64_like_x86, to_i64_like_x86);
unsigned_sample!(
    u8,
    to_i32_like_x86,
    clipped_to_i32,
    fn as_bytes(elements: &[u8]) -> Option<&[u8]> {
        Some(elements)
    },
    fn as_bytes_mut(elements: &mut [u8]) -> Option<&mut [u8]> {
        Some(elements)
    }
);
unsigned_sample!(u16, to_i32_like_x86, clipped_to_i32);
// Before AVX-512 there is no unsigned 32-bit conversion: take the low half of the signed 64-bit one.
unsigned_sample!(u32, to_i64_like_x86, to_i64_like_x86);
unsigned_sample!(u64, to_u64_like_x86, to_u64_like_x86);

impl Sample for Bool {
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self.0)
    }

    #[inline(always)]
    fn from_f64_truncated(x: f64) -> Self {
        Self(u8::from_f64_truncated(x))
    }

    #[inline(always)]
    fn from_f64_rounded(x: f64) -> Self {
        // SciPy neither rounds nor clips booleans.
        Self(u8::from_f64_truncated(x))
    }

    #[inline(always)]
    fn from_f64_filtered(x: f64) -> Self {
        Self(u8::from_f64_filtered(x))
    }
}

macro_rules! float_sample {
    ($type:ty $(, $extra:item)?) => {
        impl Sample for $type {
            const FINITE: bool = false;

            $($extra)?

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }

            #[inline(always)]
            fn from_f64_truncated(x: f64) -> Self {
                x as $type
            }

            #[inline(always)]
            fn from_f64_rounded(x: f64) -> Self {
                x as $type
            }

            #[inline(always)]
            fn from_f64_filtered(x: f64) -> Self {
                x as $type
            }
        }
    };
}

float_sample!(f32);
float_sample!(
    f64,
    fn as_doubles(elements: &[f64]) -> Option<&[f64]> {
        Some(elements)
    }
);

/// Which cast stores a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// [`Sample::from_f64_truncated`]
    Truncated,
    /// [`Sample::from_f64_rounded`]
    Rounded,
    /// [`Sample::from_f64_filtered`]
    Filtered,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn truncation_wraps_inside_the_register() {
        assert_eq!(u8::from_f64_truncated(300.9), 44);
        assert_eq!(u8::from_f64_truncated(-300.0), 212);
        assert_eq!(u8::from_f64_truncated(1e10), 0);
        assert_eq!(i8::from_f64_truncated(200.0), -56);
        assert_eq!(i32::from_f64_truncated(f64::NAN), i32::MIN);
        assert_eq!(i32::from_f64_truncated(-2_147_483_648.9), i32::MIN);
        assert_eq!(i32::from_f64_truncated(2_147_483_647.9), i32::MAX);
        assert_eq!(u32::from_f64_truncated(-1.0), u32::MAX);
        assert_eq!(u32::from_f64_truncated(4_294_967_296.0 + 7.0), 7);
        assert_eq!(u64::from_f64_truncated(1e19), 10_000_000_000_000_000_000);
        assert_eq!(u64::from_f64_truncated(1e30), 0);
        assert_eq!(Bool::from_f64_truncated(2.9), Bool(2));
    }

    #[test]
    fn rounding_goes_away_from_zero_and_clips() {
        assert_eq!(u8::from_f64_rounded(2.5), 3);
        assert_eq!(u8::from_f64_rounded(300.0), 255);
        assert_eq!(u8::from_f64_rounded(-7.0), 0);
        assert_eq!(u8::from_f64_rounded(f64::NAN), 0);
        assert_eq!(i8::from_f64_rounded(-0.5), -1);
        assert_eq!(i8::from_f64_rounded(-500.0), -128);
        assert_eq!(i16::from_f64_rounded(f64::NAN), 0);
        // One half is added in double precision: the largest value below one half rounds up.
        assert_eq!(u8::from_f64_rounded(0.499_999_999_999_999_94), 1);
        assert_eq!(Bool::from_f64_rounded(0.9), Bool(0));
        assert_eq!(i64::from_f64_rounded(1e300), i64::MAX);
        assert_eq!(i64::from_f64_rounded(9_223_372_036_854_775_808.0), i64::MIN);
        assert_eq!(u64::from_f64_rounded(1e300), 0);
        assert_eq!(u64::from_f64_rounded(18_446_744_073_709_551_616.0), 0);
    }

    proptest! {
        #[test]
        fn small_integers_survive_every_cast(x in -128_i8..=127) {
            let value = x.to_f64();
            prop_assert_eq!(i8::from_f64_truncated(value), x);
            prop_assert_eq!(i8::from_f64_rounded(value), x);
            prop_assert_eq!(i8::from_f64_filtered(value), x);
            prop_assert_eq!(u8::from_f64_truncated(value), x as u8);
            prop_assert_eq!(u8::from_f64_filtered(value), x as u8);
        }

        #[test]
        fn unsigned_casts_agree_inside_the_register(x in -2.0e9_f64..2.0e9) {
            prop_assert_eq!(u8::from_f64_truncated(x), x as i64 as u8);
            prop_assert_eq!(u16::from_f64_filtered(x), x as i64 as u16);
            prop_assert_eq!(u32::from_f64_truncated(x), x as i64 as u32);
        }
    }
}
