//! Sums of samples, and their exact division by the number of samples without a division instruction.

use crate::array::sample::Sample;

/// Types that can be added and subtracted.
pub(super) trait Addend: Copy + Default {
    fn plus(self, other: Self) -> Self;
    fn minus(self, other: Self) -> Self;
}

impl Addend for f64 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self + other
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self - other
    }
}

/// Differences may wrap; the sums do not.
impl Addend for u16 {
    #[inline(always)]
    fn plus(self, other: Self) -> Self {
        self.wrapping_add(other)
    }

    #[inline(always)]
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
}

/// Division of sums by the number of their samples.
pub(super) trait Divide<S, R>: Copy + Sync {
    /// The approximation is only valid for sums that have none of these bits.
    const LOW_BITS: u64 = 0;

    /// The exact quotient.
    fn of(self, sum: S) -> R;

    /// The quotient; correct if the sum has none of the bits `LOW_BITS`.
    #[inline(always)]
    fn approx(self, sum: S) -> R {
        self.of(sum)
    }

    /// The bits of a sum.
    #[inline(always)]
    fn bits(_sum: S) -> u64 {
        0
    }
}

impl<S, R, F: Fn(S) -> R + Copy + Sync> Divide<S, R> for F {
    #[inline(always)]
    fn of(self, sum: S) -> R {
        self(sum)
    }
}

/// Division by a number of samples that equals SciPy's quotient, for sums of types narrower than `f64`.
///
/// ```text
/// near = sum * reciprocal              # within an ulp or so
/// high = near cut to 26 bits           # so that high * divisor is exact
/// left = sum - high * divisor          # exact
/// high + left * reciprocal             # rounds to the nearest number of the exact quotient
/// ```
///
/// With `u = 2^-53`: `high` is within `2^-25` of the quotient. The divisor has at most 16 bits, so `high * divisor` is
/// exact, and so is the remainder `left`, which has at most 30 bits. The quotient of `left` is off by at most
/// `2^-25 * 2.1 u`, less than `2^-76` of the whole. The exact quotient is at least `2^-55 / divisor >= 2^-71` of itself
/// away from the midpoint between two numbers: the difference between the sum and midpoint times divisor is an integer
/// number of half ulps, and never zero, since the midpoint has 54 significant bits, and so does its product. Hence the
/// last addition rounds to the number nearest to the exact quotient.
///
/// Sums of narrower types are 0 or at least `2^-149`, and far from overflow. An infinity or NaN leaves a NaN, and then
/// `near` is correct.
#[derive(Clone, Copy)]
pub(super) struct Quotient {
    divisor: f64,
    reciprocal: f64,
}

impl Quotient {
    pub const MAX_DIVISOR: usize = 1 << 16;

    pub fn new(divisor: usize) -> Self {
        let divisor = divisor as f64;
        Self { divisor, reciprocal: 1.0 / divisor }
    }

    #[inline(always)]
    pub fn of(self, sum: f64) -> f64 {
        let near = sum * self.reciprocal;
        let high = f64::from_bits(near.to_bits() & !((1 << 27) - 1));
        let left = sum - high * self.divisor;
        if left.is_nan() { near } else { high + left * self.reciprocal }
    }
}

/// A [`Quotient`] rounded to `f32`, for sums of `f32`.
///
/// ```text
/// near = sum * reciprocal, rounded to a multiple of 8 ulps of f64; round that to f32
/// wrong only if the sum has low bits: then divide exactly
/// ```
///
/// `sum * reciprocal` is less than 2.1 ulps of `f64` from the exact quotient. Rounded to a multiple of 8 ulps it is
/// less than 6.1 off, or exact if such a multiple is less than 1.9 from the exact quotient and equal to it. Let
/// `middle` be any midpoint between two `f32`. A sum without its five lowest bits is a multiple of a power of two,
/// `unit`, of at least `2^-48` of the sum. So is `middle * divisor` for a midpoint within a factor of two, as its last
/// bit is worth `2^-25` of it and the divisor has at most 17 bits. So the exact quotient either is the midpoint, and
/// then so is the approximation; or it is at least `unit / divisor` away, `2^-48` of itself or 16 ulps, and the
/// approximation lies on the same side, as does the quotient in `f64`. Either way both round to the same `f32`. Zero,
/// infinities and NaN of `f32` have no low bits, and stay as they are.
#[derive(Clone, Copy)]
pub(super) struct NarrowQuotient(pub Quotient);

impl Divide<f64, f32> for NarrowQuotient {
    const LOW_BITS: u64 = 31;

    #[inline(always)]
    fn of(self, sum: f64) -> f32 {
        f32::from_f64_truncated(self.0.of(sum))
    }

    #[inline(always)]
    fn approx(self, sum: f64) -> f32 {
        let near = (sum * self.0.reciprocal).to_bits();
        f32::from_f64_truncated(f64::from_bits(near.wrapping_add(4) & !7))
    }

    #[inline(always)]
    fn bits(sum: f64) -> u64 {
        sum.to_bits()
    }
}

/// Division of a sum of `size` bytes by `size`, as a multiplication and a shift.
///
/// SciPy truncates the quotient in `f64`. It is exact if `size` divides the sum. Otherwise it lies at least `1 / size`
/// below the next integer, which rounding cannot bridge. So the truncated quotient is the integer quotient.
#[derive(Clone, Copy)]
pub(super) struct Division {
    factor: u16,
    shift: u32,
}

impl Division {
    /// `None` if no factor of 16 bits gives every quotient.
    pub fn new(size: usize) -> Option<Self> {
        let size = u64::try_from(size).ok().filter(|size| (1..=257).contains(size))?;
        // `sum * factor >> (16 + shift)` is right for every sum if the factor's error, `excess / size`, adds less than
        // `1 / size`: if `sum * excess < 2^(16 + shift)`.
        (0..8).find_map(|shift| {
            let power = 1_u64 << (16 + shift);
            let factor = power.div_ceil(size);
            let excess = factor * size - power;
            let factor = u16::try_from(factor).ok()?;
            (255 * size * excess < power).then_some(Self { factor, shift })
        })
    }

    #[inline(always)]
    pub fn of(self, sum: u16) -> u8 {
        self.quotient(sum) as u8
    }

    /// The same, which is at most 255, as a number of 16 bits.
    #[inline(always)]
    pub fn quotient(self, sum: u16) -> u16 {
        ((u32::from(sum) * u32::from(self.factor)) >> 16) as u16 >> self.shift
    }
}
