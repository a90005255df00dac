//! Sum the taps of points: of any points, and of points of a flat image whose taps all lie inside.

use crate::rows::Pixels;
use crate::sample::Sample;
use crate::simd::Kernel;

/// The taps of a point on one axis.
#[derive(Clone, Copy)]
pub(crate) struct AxisTaps<const TAPS: usize> {
    /// Element offsets; [`FILL`] for the fill value.
    pub offsets: [usize; TAPS],
    pub weights: [f64; TAPS],
}

pub(crate) const FILL: usize = usize::MAX;

/// The taps of a point of a flat image that all lie inside.
#[derive(Clone, Copy)]
pub(crate) struct Corner<const TAPS: usize> {
    pub start: usize,
    pub weights: [[f64; TAPS]; 2],
}

/// Sum the taps of points whose taps all lie inside, for every inner plane.
pub(crate) struct GatherCorners<'a, T: Sample, const TAPS: usize> {
    pub pixels: &'a Pixels<'a, T>,
    pub base: usize,
    pub down: usize,
    pub right: usize,
    pub corners: &'a [Corner<TAPS>],
    pub to: &'a mut [f64],
}

impl<T: Sample, const TAPS: usize> Kernel for GatherCorners<'_, T, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let planes = self.pixels.inner.len();
        match planes {
            1 => self.interleaved::<1>(0),
            3 if self.pixels.is_interleaved() => self.interleaved::<3>(0),
            4 if self.pixels.is_interleaved() => self.interleaved::<4>(0),
            _ => {
                let Self { pixels, base, down, right, corners, to } = self;
                for (plane, offset) in pixels.inner.iter().enumerate() {
                    for (to, corner) in to.chunks_exact_mut(planes).zip(corners) {
                        to[plane] =
                            sum::<T, TAPS, 1>(&pixels.elements()[base + offset..], down, right, corner)[0];
                    }
                }
            }
        }
    }
}

impl<T: Sample, const TAPS: usize> GatherCorners<'_, T, TAPS> {
    #[inline(always)]
    fn interleaved<const PLANES: usize>(self, offset: usize) {
        let elements = &self.pixels.elements()[self.base + offset..];
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        for (to, corner) in to.iter_mut().zip(self.corners) {
            *to = sum::<T, TAPS, PLANES>(elements, self.down, self.right, corner);
        }
    }
}

#[inline(always)]
fn sum<T: Sample, const TAPS: usize, const PLANES: usize>(
    elements: &[T],
    down: usize,
    right: usize,
    corner: &Corner<TAPS>,
) -> [f64; PLANES] {
    let mut sum = [0.0; PLANES];
    for (i, row_weight) in corner.weights[0].iter().enumerate() {
        let row = &elements[corner.start + i * down..][..(TAPS - 1) * right + PLANES];
        for (j, weight) in corner.weights[1].iter().enumerate() {
            let from = &row[j * right..][..PLANES];
            (0..PLANES).for_each(|plane| sum[plane] += from[plane].to_f64() * row_weight * weight);
        }
    }
    sum
}

/// Sum the taps of any points, for every inner plane.
pub(crate) struct GatherTaps<'a, T: Sample, const TAPS: usize> {
    pub pixels: &'a Pixels<'a, T>,
    pub base: usize,
    pub fill: f64,
    pub points: &'a [(usize, Option<usize>)],
    pub taps: &'a [AxisTaps<TAPS>],
    pub to: &'a mut [f64],
}

impl<T: Sample, const TAPS: usize> Kernel for GatherTaps<'_, T, TAPS> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let planes = self.pixels.inner.len();
        let rank = self.pixels.spatial.len();
        for (pixel, first) in self.points {
            let to = &mut self.to[pixel * planes..(pixel + 1) * planes];
            let Some(first) = first else {
                to.fill(self.fill);
                continue;
            };
            let taps = &self.taps[*first..first + rank];
            for (to, plane) in to.iter_mut().zip(&self.pixels.inner) {
                *to = sum_taps(self.pixels.elements(), self.base + plane, taps, self.fill);
            }
        }
    }
}

#[inline(always)]
pub(crate) fn sum_taps<T: Sample, const TAPS: usize>(
    elements: &[T],
    base: usize,
    taps: &[AxisTaps<TAPS>],
    fill: f64,
) -> f64 {
    if let [y, x] = taps {
        return sum_flat(elements, base, y, x, fill);
    }
    let (last, leading) = taps.split_last().expect("at least one axis");
    let mut choice = [0_u8; 32];
    let mut sum = 0.0;
    loop {
        let mut start = Some(base);
        for (axis, choice) in leading.iter().zip(choice) {
            let offset = axis.offsets[usize::from(choice)];
            start = start.filter(|_| offset != FILL).map(|start| start + offset);
        }
        for (offset, weight) in last.offsets.iter().zip(last.weights) {
            let mut value = match start {
                Some(start) if *offset != FILL => elements[start + offset].to_f64(),
                _ => fill,
            };
            for (axis, choice) in leading.iter().zip(choice) {
                value *= axis.weights[usize::from(choice)];
            }
            sum += value * weight;
        }
        // The next choice of taps on the leading axes, in C order.
        let mut axis = leading.len();
        loop {
            if axis == 0 {
                return sum;
            }
            axis -= 1;
            choice[axis] += 1;
            if usize::from(choice[axis]) < TAPS {
                break;
            }
            choice[axis] = 0;
        }
    }
}

/// As [`sum_taps`], for two axes.
#[inline(always)]
fn sum_flat<T: Sample, const TAPS: usize>(
    elements: &[T],
    base: usize,
    y: &AxisTaps<TAPS>,
    x: &AxisTaps<TAPS>,
    fill: f64,
) -> f64 {
    let mut sum = 0.0;
    for (down, row_weight) in y.offsets.iter().zip(y.weights) {
        for (right, weight) in x.offsets.iter().zip(x.weights) {
            let outside = *down == FILL || *right == FILL;
            let value = if outside { fill } else { elements[base + down + right].to_f64() };
            sum += value * row_weight * weight;
        }
    }
    sum
}
