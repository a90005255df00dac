//! Points near or beyond a border: the border mode finds each tap, which is read individually.

use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::exec::counts::match_count;
use crate::exec::simd::Kernel;
use crate::interpolate::border_taps::{first_tap, tap_index};
use crate::interpolate::options::Options;
use crate::interpolate::spline::weights;
use crate::memory;

/// Element offset that stands for the fill value. Up to 32 of them add up to at most 2^63, beyond any image.
pub(super) const FILL: usize = 1 << 58;

/// An image whose taps are read one by one.
pub(crate) trait Gather: Sync {
    /// The offset of an outer plane.
    fn outer_offset(&self, outer: &[usize]) -> usize;

    /// Length and stride of each spatial axis.
    fn spatial(&self) -> &[(usize, usize)];

    /// Offset of each inner plane.
    fn inner(&self) -> &[usize];

    /// The first `count` of these elements, or the fill value where an offset stands for it.
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

/// Edge pixels of a row, each with the taps of its point.
pub(crate) struct Edges<const TAPS: usize> {
    rank: usize,
    /// Pixels with taps.
    pixels: Vec<usize>,
    /// Pixels that have the fill value.
    fill_pixels: Vec<usize>,
    /// Element offsets, one entry per pixel and axis; [`FILL`] for the fill value.
    offsets: Vec<[usize; TAPS]>,
    /// The weights of [`LANES`] pixels, one entry per axis.
    weights: Vec<[Lanes; TAPS]>,
}

impl<const TAPS: usize> Edges<TAPS> {
    pub fn new(rank: usize) -> Self {
        Self { rank, pixels: Vec::new(), fill_pixels: Vec::new(), offsets: Vec::new(), weights: Vec::new() }
    }

    pub fn clear(&mut self) {
        self.pixels.clear();
        self.fill_pixels.clear();
        self.offsets.clear();
        self.weights.clear();
    }

    /// Number of pixels.
    pub fn len(&self) -> usize {
        self.pixels.len() + self.fill_pixels.len()
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
            let Some((start, x)) = first_tap::<TAPS>(x, *len, options.border) else {
                self.offsets.truncate(count * self.rank);
                memory::push(&mut self.fill_pixels, pixel);
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

/// Store the weighted sums of [`Edges`] in a row, for every inner plane.
pub(crate) struct SumEdges<'a, G: Gather + ?Sized, O: Sample, const TAPS: usize> {
    pub edges: &'a Edges<TAPS>,
    pub image: &'a G,
    /// The offset of the outer plane.
    pub base: usize,
    pub fill: f64,
    /// All planes of the first pixel of the row, then of the second, and so on.
    pub to: &'a mut [O],
}

impl<G: Gather + ?Sized, O: Sample, const TAPS: usize> Kernel for SumEdges<'_, G, O, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match_count!(self.edges.rank, self.on_axes::<1, 2, 3; 0>())
    }
}

impl<G: Gather + ?Sized, O: Sample, const TAPS: usize> SumEdges<'_, G, O, TAPS> {
    /// `RANK` is the number of axes, or 0 for any number.
    #[inline(always)]
    fn on_axes<const RANK: usize>(self) {
        let Self { edges, image, base, fill, to } = self;
        let planes = image.inner().len();
        for pixel in &edges.fill_pixels {
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

/// The sums of up to [`LANES`] pixels: over all taps in C order, an element times its weight on each axis in turn.
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
    // The taps on the leading axes in C order, as the digits of a number to base `TAPS`.
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

/// Pixels that are computed together.
pub(crate) const LANES: usize = 4;

pub(crate) type Lanes = [f64; LANES];
