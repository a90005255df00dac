//! Points near or beyond a border: each tap is found by the border mode, and read wherever it lies.

use super::Options;
use super::inside::{LANES, Lanes};
use crate::array::sample::{Sample, to_i64_like_x86};
use crate::border::Border;
use crate::exec::simd::Kernel;
use crate::interpolate::spline::weights;
use crate::memory;
use crate::walk::rows::Pixels;

/// In place of an element offset: the fill value. Up to 32 of them add to 2^63 at most, and lie behind any image.
pub(super) const FILL: usize = 1 << 58;

/// An image whose taps are read one by one.
pub(crate) trait Gather: Sync {
    /// Where the first element of an outer plane lies.
    fn outer_offset(&self, outer: &[usize]) -> usize;

    /// Length of each spatial axis, and distance of neighbours.
    fn spatial(&self) -> &[(usize, usize)];

    /// Where each inner plane begins.
    fn inner(&self) -> &[usize];

    /// The first `count` of these elements; the fill value where it stands for one.
    fn gather(&self, at: &[usize; LANES], count: usize, fill: f64) -> Lanes;
}

impl<T: Sample> Gather for Pixels<'_, T> {
    fn outer_offset(&self, outer: &[usize]) -> usize {
        Pixels::outer_offset(self, outer)
    }

    fn spatial(&self) -> &[(usize, usize)] {
        &self.spatial
    }

    fn inner(&self) -> &[usize] {
        &self.inner
    }

    #[inline(always)]
    fn gather(&self, at: &[usize; LANES], count: usize, fill: f64) -> Lanes {
        let (elements, mut values) = (self.elements(), [0.0; LANES]);
        for lane in 0..count {
            values[lane] = elements.get(at[lane]).map_or(fill, |element| element.to_f64());
        }
        values
    }
}

/// The first tap and the mapped coordinate on an axis; `None` where the result is the fill value.
#[inline(always)]
pub(crate) fn place<const TAPS: usize>(x: f64, len: usize, border: Border) -> Option<(i64, f64)> {
    let order = TAPS - 1;
    let tap_by_tap = matches!(border, Border::Nearest | Border::GridConstant);
    let x = if tap_by_tap { x } else { border.coordinate(x, len) };
    // No sample can stand in on an empty axis. NaN is not above -1 either.
    if !(tap_by_tap || x > -1.0) || (len == 0 && border != Border::GridConstant) {
        return None;
    }
    let middle = if order % 2 == 1 { x.floor() } else { (x + 0.5).floor() };
    Some((to_i64_like_x86(middle).wrapping_sub(order as i64 / 2), x))
}

/// The pixel that a tap reads; `None` where it is the fill value.
#[inline(always)]
pub(crate) fn tap_index(tap: i64, len: usize, border: Border) -> Option<usize> {
    if (0..len as i64).contains(&tap) {
        return Some(tap as usize);
    }
    let border = match border {
        Border::GridConstant => return None,
        // These have no extension of their own for taps.
        Border::Constant | Border::Wrap => Border::Mirror,
        other => other,
    };
    // From coordinates near the ends of int64 a map may come back outside, where SciPy reads foreign memory.
    let inside = to_i64_like_x86(border.coordinate(tap as f64, len));
    Some(inside.clamp(0, len as i64 - 1) as usize)
}

/// Some pixels of a row, each with the taps of its point.
pub(crate) struct Edges<const TAPS: usize> {
    rank: usize,
    /// Pixels with taps.
    pixels: Vec<usize>,
    /// Pixels with the fill value.
    filled: Vec<usize>,
    /// Element offsets, one entry a pixel and axis; [`FILL`] for the fill value.
    offsets: Vec<[usize; TAPS]>,
    /// The weights of [`LANES`] pixels, one entry an axis.
    weights: Vec<[Lanes; TAPS]>,
}

impl<const TAPS: usize> Edges<TAPS> {
    pub fn new(rank: usize) -> Self {
        Self { rank, pixels: Vec::new(), filled: Vec::new(), offsets: Vec::new(), weights: Vec::new() }
    }

    pub fn clear(&mut self) {
        self.pixels.clear();
        self.filled.clear();
        self.offsets.clear();
        self.weights.clear();
    }

    /// Number of pixels.
    pub fn len(&self) -> usize {
        self.pixels.len() + self.filled.len()
    }

    /// Add a pixel whose point has these coordinates.
    #[inline]
    pub fn push(
        &mut self,
        pixel: usize,
        coordinates: impl IntoIterator<Item = f64>,
        spatial: &[(usize, usize)],
        options: &Options,
    ) {
        let (count, lane) = (self.pixels.len(), self.pixels.len() % LANES);
        if lane == 0 {
            memory::resize(&mut self.weights, (count / LANES + 1) * self.rank, [[0.0; LANES]; TAPS]);
        }
        let weights_of_block = count / LANES * self.rank;
        for (axis, (x, (len, stride))) in coordinates.into_iter().zip(spatial).enumerate() {
            let Some((start, x)) = place::<TAPS>(x, *len, options.border) else {
                self.offsets.truncate(count * self.rank);
                memory::push(&mut self.filled, pixel);
                return;
            };
            let mut offsets = [FILL; TAPS];
            for (tap, offset) in offsets.iter_mut().enumerate() {
                if let Some(index) = tap_index(start.wrapping_add(tap as i64), *len, options.border) {
                    *offset = index.wrapping_mul(*stride);
                }
            }
            memory::push(&mut self.offsets, offsets);
            let to = &mut self.weights[weights_of_block + axis];
            for (to, weight) in to.iter_mut().zip(weights::<TAPS>(x)) {
                to[lane] = weight;
            }
        }
        memory::push(&mut self.pixels, pixel);
    }
}

/// Put the sums of the taps of [`Edges`], for every inner plane, where they belong in a row.
pub(crate) struct SumEdges<'a, G: Gather + ?Sized, O: Sample, const TAPS: usize> {
    pub edges: &'a Edges<TAPS>,
    pub image: &'a G,
    /// Where the first element of the plane lies.
    pub base: usize,
    pub fill: f64,
    /// All planes of the first pixel of the row, then of the second, and so on.
    pub to: &'a mut [O],
}

impl<G: Gather + ?Sized, O: Sample, const TAPS: usize> Kernel for SumEdges<'_, G, O, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.edges.rank {
            1 => self.on_axes::<1>(),
            2 => self.on_axes::<2>(),
            3 => self.on_axes::<3>(),
            _ => self.on_axes::<0>(),
        }
    }
}

impl<G: Gather + ?Sized, O: Sample, const TAPS: usize> SumEdges<'_, G, O, TAPS> {
    /// `RANK` is the number of axes, or zero for any number.
    #[inline(always)]
    fn on_axes<const RANK: usize>(self) {
        let Self { edges, image, base, fill, to } = self;
        let planes = image.inner().len();
        for pixel in &edges.filled {
            to[pixel * planes..(pixel + 1) * planes].fill(O::from_f64_rounded(fill));
        }
        let blocks = edges.offsets.chunks(LANES * edges.rank).zip(edges.weights.chunks_exact(edges.rank));
        for (block, (offsets, weights)) in edges.pixels.chunks(LANES).zip(blocks) {
            for (plane, offset) in image.inner().iter().enumerate() {
                let sums =
                    sum_block::<G, TAPS, RANK>(image, base.wrapping_add(*offset), offsets, weights, fill);
                for (pixel, sum) in block.iter().zip(sums) {
                    to[pixel * planes + plane] = O::from_f64_rounded(sum);
                }
            }
        }
    }
}

/// The sums of up to [`LANES`] pixels: over all taps in C order, of an element times its weight on each axis in turn.
#[inline(always)]
fn sum_block<G: Gather + ?Sized, const TAPS: usize, const RANK: usize>(
    image: &G,
    base: usize,
    offsets: &[[usize; TAPS]],
    weights: &[[Lanes; TAPS]],
    fill: f64,
) -> Lanes {
    let rank = if RANK == 0 { weights.len() } else { RANK };
    let (weights, count) = (&weights[..rank], offsets.len() / rank);
    let mut sums = [0.0; LANES];
    // The taps on all axes but the last, in C order; the digits of a number.
    for lead in 0..TAPS.saturating_pow(rank as u32 - 1) {
        let digit = |axis: usize| lead / TAPS.pow((rank - 2 - axis) as u32) % TAPS;
        let mut starts = [base; LANES];
        for axis in 0..rank - 1 {
            for lane in 0..count {
                starts[lane] = starts[lane].wrapping_add(offsets[lane * rank + axis][digit(axis)]);
            }
        }
        for tap in 0..TAPS {
            let mut at = starts;
            for lane in 0..count {
                at[lane] = at[lane].wrapping_add(offsets[lane * rank + rank - 1][tap]);
            }
            let mut values = image.gather(&at, count, fill);
            for axis in 0..rank - 1 {
                let weights = weights[axis][digit(axis)];
                (0..LANES).for_each(|lane| values[lane] *= weights[lane]);
            }
            let last = weights[rank - 1][tap];
            (0..LANES).for_each(|lane| sums[lane] += values[lane] * last[lane]);
        }
    }
    sums
}
