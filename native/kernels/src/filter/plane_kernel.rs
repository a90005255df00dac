//! Weighted sums of neighbours in the plane of rows and columns, of all channels at once.
//!
//! The sums are those of SciPy's `correlate` in `f64`, tap after tap, and are rounded once to the image's own type. Rows
//! are converted once, with what lies beyond the border on both sides; as many are kept as the taps reach.
//!
//! Of bytes the sums are made in integers first (`dot_products`), or in `f32`, twice as many at once. Their error has a bound;
//! where it might carry a sum over the middle between two integers, the sum is made again in `f64`.

#[cfg(target_arch = "x86_64")]
mod dot_products;
mod taps;

use crate::array::level::GreyLevel;
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
#[cfg(target_arch = "x86_64")]
use crate::exec::simd::{self, Level};
use crate::exec::simd::{Kernel, dispatch};
use crate::exec::threads;
use crate::memory::{self, Zero};
use ndarray::{ArrayViewD, ArrayViewMutD};
use taps::KernelPlane;
pub use taps::PlaneTap;

/// PlaneSums that are made together.
const LANES: usize = 256;

/// PlaneSum up the taps at every pixel of an image (rows, columns, channels) of `u8`, `u16` or `f32` in C order.
pub fn correlate(
    output: ViewMut<'_>,
    input: &View<'_>,
    taps: &[PlaneTap],
    border: Border,
    fill: f64,
) -> Result<()> {
    let &[rows, columns, channels] = input.shape() else {
        return Err(KernelError::shape("rows, columns and channels have three axes"));
    };
    if output.shape() != input.shape() {
        return Err(KernelError::shape(format!("sums of {:?} to {:?}", input.shape(), output.shape())));
    }
    if output.is_empty() {
        return Ok(());
    }
    let reach = |offset: &dyn Fn(&PlaneTap) -> isize| {
        let offsets = || taps.iter().map(offset);
        (
            offsets().min().unwrap_or(0).min(0).unsigned_abs(),
            offsets().max().unwrap_or(0).max(0).unsigned_abs(),
        )
    };
    let plane = KernelPlane {
        rows,
        columns,
        channels,
        taps,
        border,
        fill,
        above: reach(&|tap| tap.row),
        beside: reach(&|tap| tap.column),
    };
    match (output, input) {
        (ViewMut::U8(to), View::U8(from)) => plane.run_bytes(to, from),
        (ViewMut::U16(to), View::U16(from)) => plane.run(to, from, KernelPlane::fill_rows::<_, f64>),
        (ViewMut::F32(to), View::F32(from)) => plane.run(to, from, KernelPlane::fill_rows::<_, f64>),
        _ => Err(KernelError::parameter("sums of neighbours are made of uint8, uint16 and float32")),
    }
}

impl KernelPlane<'_> {
    /// PlaneSum of the weights' magnitudes, times the largest byte or the fill value.
    fn most(&self) -> f64 {
        self.taps.iter().map(|tap| tap.weight.abs()).sum::<f64>() * self.fill.abs().max(255.0)
    }

    /// Whether few sums of bytes would have to be made again.
    fn is_narrow(&self) -> bool {
        f64::from(self.fill as f32) == self.fill && self.most() < 65536.0 && self.error() < 0.01
    }

    /// More than a sum in `f32` can be away from the one in `f64`.
    ///
    /// Each weight, product and partial sum is rounded by half a unit in the last place: of n taps, n + 1 halves of all
    /// magnitudes together, where nothing is rounded twice but the first product. Two more leave room for the sum in `f64`.
    fn error(&self) -> f64 {
        let is_exact = |tap: &PlaneTap| tap.weight * 256.0 == (tap.weight * 256.0).trunc();
        if self.taps.iter().all(is_exact) && self.fill.trunc() == self.fill && self.most() < 32768.0 {
            return 0.0; // whole numbers of 2^-8, which 24 bits hold
        }
        (self.taps.len() + 3) as f64 * self.most() * f64::from(f32::EPSILON / 2.0)
    }

    fn run_bytes(&self, to: ArrayViewMutD<'_, u8>, from: &ArrayViewD<'_, u8>) -> Result<()> {
        #[cfg(target_arch = "x86_64")]
        if simd::level() == Level::Avx512
            && f64::from(self.fill as u8) == self.fill
            && let Some(taps) = dot_products::QuadTaps::new(self.taps)
        {
            return self.run(to, from, |plane, from, to, first| taps.fill_rows(plane, from, to, first));
        }
        if self.is_narrow() {
            self.run(to, from, Self::fill_rows::<_, f32>)
        } else {
            self.run(to, from, Self::fill_rows::<_, f64>)
        }
    }

    /// Call `fill_rows(self, from, rows of the output, the number of the first of them)` with all rows.
    fn run<T: GreyLevel>(
        &self,
        to: ArrayViewMutD<'_, T>,
        from: &ArrayViewD<'_, T>,
        fill_rows: impl Fn(&Self, &[T], &mut [T], usize) + Sync,
    ) -> Result<()> {
        let (Some(to), Some(from)) = (to.into_slice(), from.as_slice()) else {
            return Err(KernelError::shape("sums of neighbours are made in C order"));
        };
        let row = self.columns * self.channels;
        let cost = (to.len() / 8).saturating_mul(self.taps.len() + 8);
        let rows = self.rows.div_ceil(threads::blocks_for(cost).min(self.rows));
        let mut blocks = memory::with_capacity(self.rows.div_ceil(rows));
        memory::extend(&mut blocks, to.chunks_mut(rows * row).enumerate());
        threads::for_each_block(blocks, |(number, to)| fill_rows(self, from, to, number * rows));
        Ok(())
    }

    /// Fill rows, the first of which has the number `first`.
    fn fill_rows<T: GreyLevel, S: PlaneSum>(&self, from: &[T], to: &mut [T], first: usize) {
        let row = self.columns * self.channels;
        let (before, after) = self.beside;
        let width = (before + self.columns + after) * self.channels;
        let kept = self.above.0 + self.above.1 + 1;
        let mut ring = memory::zeros::<S>(kept * width);
        let columns = self.columns_beside();
        // Rows are numbered from the topmost one that is read.
        let mut made = 0;
        let mut sums = memory::with_capacity(self.taps.len());
        let error = self.error();
        for (number, to) in to.chunks_exact_mut(row).enumerate() {
            while made < number + kept {
                let source = (first + made) as isize - self.above.0 as isize;
                let line = &mut ring[made % kept * width..][..width];
                match self.border.index(source, self.rows) {
                    Some(source) => self.convert(&from[source * row..][..row], line, &columns),
                    None => line.fill(S::of_f64(self.fill)),
                }
                made += 1;
            }
            sums.clear();
            memory::extend(
                &mut sums,
                self.taps.iter().map(|tap| {
                    let line = number.wrapping_add_signed(tap.row + self.above.0 as isize) % kept;
                    let start = before.wrapping_add_signed(tap.column) * self.channels;
                    (line * width + start, tap.weight)
                }),
            );
            dispatch(PlaneSums { taps: &sums, ring: &ring, to, error });
        }
    }

    /// A row in `f64`, with what lies beside it.
    fn convert<T: GreyLevel, S: PlaneSum>(&self, from: &[T], line: &mut [S], beside: &[Option<usize>]) {
        let (channels, before) = (self.channels, self.beside.0);
        let inside = &mut line[before * channels..][..from.len()];
        dispatch(WidenRow { from, to: inside });
        for (place, source) in beside.iter().enumerate() {
            let column = if place < before { place } else { place + self.columns };
            let to = &mut line[column * channels..][..channels];
            match source {
                Some(source) => {
                    for (to, value) in to.iter_mut().zip(&from[source * channels..]) {
                        *to = S::of_f32(value.to_f32());
                    }
                }
                None => to.fill(S::of_f64(self.fill)),
            }
        }
    }
}

/// The numbers in which sums are made.
trait PlaneSum: Zero + Send + Sync + std::ops::Add<Output = Self> + std::ops::Mul<Output = Self> {
    fn of_f32(value: f32) -> Self;
    fn of_f64(value: f64) -> Self;
    fn to_f64(self) -> f64;

    /// Rounded to the image's type.
    fn stored<T: GreyLevel>(self) -> T;

    /// Whether a sum that is less than `error` away may be rounded to another integer.
    fn is_unsure(self, error: f64) -> bool;
}

impl PlaneSum for f64 {
    #[inline(always)]
    fn of_f32(value: f32) -> Self {
        value.into()
    }

    #[inline(always)]
    fn of_f64(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn stored<T: GreyLevel>(self) -> T {
        T::of_f64(self)
    }

    #[inline(always)]
    fn is_unsure(self, _error: f64) -> bool {
        false
    }
}

impl PlaneSum for f32 {
    #[inline(always)]
    fn of_f32(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn of_f64(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self.into()
    }

    #[inline(always)]
    fn stored<T: GreyLevel>(self) -> T {
        T::of_f32(self)
    }

    #[inline(always)]
    fn is_unsure(self, error: f64) -> bool {
        // The nearest integer: past the last bit for a fraction, as sums are below 2^16.
        let nearest = (self + 12_582_912.0) - 12_582_912.0;
        (self - nearest).abs() > 0.5 - error as f32
    }
}

struct WidenRow<'a, T, S> {
    from: &'a [T],
    to: &'a mut [S],
}

impl<T: GreyLevel, S: PlaneSum> Kernel for WidenRow<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        self.to.iter_mut().zip(self.from).for_each(|(to, from)| *to = S::of_f32(from.to_f32()));
    }
}

/// The sums of a row: for each tap where its values begin, and the weight.
struct PlaneSums<'a, T, S> {
    taps: &'a [(usize, f64)],
    ring: &'a [S],
    to: &'a mut [T],
    /// More than a sum can be away from the one in `f64`.
    error: f64,
}

impl<T: GreyLevel, S: PlaneSum> Kernel for PlaneSums<'_, T, S> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { taps, ring, to, error } = self;
        // Of known length only at run time: a loop of a known one would be unrolled, and not made of wide registers.
        let mut room = [S::of_f32(0.0); LANES];
        let mut flags = [0; LANES];
        for (number, to) in to.chunks_mut(LANES).enumerate() {
            let first = number * LANES;
            let sums = &mut room[..to.len()];
            sums.fill(S::of_f32(0.0));
            let values = |start: usize| &ring[start + first..][..to.len()];
            let (fours, rest) = taps.as_chunks::<4>();
            for four in fours {
                let [a, b, c, d] = four.map(|(start, _)| values(start));
                let weights = four.map(|(_, weight)| S::of_f64(weight));
                for ((((sum, a), b), c), d) in sums.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *sum = *sum + *a * weights[0] + *b * weights[1] + *c * weights[2] + *d * weights[3];
                }
            }
            for (start, weight) in rest {
                let weight = S::of_f64(*weight);
                for (sum, value) in sums.iter_mut().zip(values(*start)) {
                    *sum = *sum + *value * weight;
                }
            }
            for ((to, sum), flag) in to.iter_mut().zip(&*sums).zip(&mut flags[..]) {
                *to = sum.stored();
                *flag = u8::from(sum.is_unsure(error));
            }
            flags[to.len()..].fill(0);
            // Most chunks have one that is unsure, most eights have none.
            for (eight, flags) in flags.as_chunks::<8>().0.iter().enumerate() {
                if u64::from_ne_bytes(*flags) == 0 {
                    continue;
                }
                for place in (0..8).filter(|place| flags[*place] != 0).map(|place| 8 * eight + place) {
                    let exact = taps.iter().fold(0.0, |exact, (start, weight)| {
                        exact + ring[start + first + place].to_f64() * weight
                    });
                    to[place] = T::of_f64(exact);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::Array3;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_sum_is_that_of_its_taps(
            (rows, columns, channels) in (1_usize..9, 1_usize..60, 1_usize..5),
            offsets in prop::collection::vec((-4_isize..5, -5_isize..6, -2.0..2.0_f64), 0..30),
            code in 0_i32..7, threads in 1_usize..3, is_short in any::<bool>(), fill in prop::sample::select(vec![0.0, 7.5, 9.0]),
        ) {
            // Few bits, or all; together about one, so that few sums are limited.
            let whole = offsets.iter().map(|offset| offset.2.abs()).sum::<f64>().max(1.0);
            let weigh = |weight: f64| if is_short { (weight * 4.0).round() / 8.0 } else { weight * 1.5 / whole };
            let offsets = offsets.into_iter().map(|(row, column, weight)| (row, column, weigh(weight)));
            let border = Border::from_code(code).unwrap();
            let taps: Vec<PlaneTap> =
                offsets.map(|(row, column, weight)| PlaneTap { row, column, weight }).collect();
            let input = Array3::from_shape_fn((rows, columns, channels), |(y, x, c)| (y * 91 + x * 37 + c * 5) as u8);
            at_every_level(threads, || {
                let mut found = Array3::<u8>::zeros(input.raw_dim());
                let view = View::U8(input.view().into_dyn());
                correlate(ViewMut::U8(found.view_mut().into_dyn()), &view, &taps, border, fill).unwrap();
                for ((y, x, c), value) in found.indexed_iter() {
                    let sum = taps.iter().fold(0.0, |sum, tap| {
                        let at = (border.index(y as isize + tap.row, rows), border.index(x as isize + tap.column, columns));
                        let value = if let (Some(y), Some(x)) = at { f64::from(input[[y, x, c]]) } else { fill };
                        sum + value * tap.weight
                    });
                    prop_assert_eq!(*value, sum.clamp(0.0, 255.0).round_ties_even() as u8);
                }
                Ok(())
            })?;
        }
    }
}
