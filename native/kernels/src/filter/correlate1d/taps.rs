//! The weights of a line, and weighted sums in SciPy's order of additions.

use std::ops::{Add, Mul, Sub};

/// Whether the weights are symmetric or antisymmetric about the middle one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Symmetry {
    Even,
    Odd,
    None,
}

pub(super) fn symmetry(weights: &[f64]) -> Symmetry {
    // A NaN counts as equal here, as in SciPy.
    let pairs = |differs: fn(f64, f64) -> f64| {
        let mirrored = weights.iter().zip(weights.iter().rev()).take(weights.len() / 2);
        !mirrored.into_iter().any(|(a, b)| differs(*b, *a).abs() > f64::EPSILON)
    };
    match weights.len() % 2 {
        1 if pairs(|a, b| a - b) => Symmetry::Even,
        1 if pairs(|a, b| a + b) => Symmetry::Odd,
        _ => Symmetry::None,
    }
}

/// Weights and the order in which to sum with them.
#[derive(Clone, Copy)]
pub(super) struct LineWeights<'a, S> {
    pub weights: &'a [S],
    pub symmetry: Symmetry,
}

/// The type that sums are computed in.
pub(super) trait Number:
    Copy + Default + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self>
{
}

impl<S: Number> LineWeights<'_, S> {
    /// `N` results from the samples at `i`, `i + step`, `i + 2 * step`, …, one for each weight.
    #[inline(always)]
    pub fn sum<const N: usize, B: Number + Into<S>>(self, samples: &[B], step: usize) -> [S; N] {
        match self.symmetry {
            Symmetry::Even => self.pairs(samples, step, |a, b| a + b),
            Symmetry::Odd => self.pairs(samples, step, |a, b| a - b),
            Symmetry::None => {
                let last = self.weights.len() - 1;
                let mut sums = self.first(last, samples, step);
                for (index, weight) in self.weights[..last].iter().enumerate() {
                    let samples: &[B; N] = lanes(&samples[index * step..]);
                    for lane in 0..N {
                        sums[lane] = sums[lane] + samples[lane].into() * *weight;
                    }
                }
                sums
            }
        }
    }

    #[inline(always)]
    pub fn pairs<const N: usize, B: Number + Into<S>>(
        self,
        samples: &[B],
        step: usize,
        combine: impl Fn(S, S) -> S,
    ) -> [S; N] {
        let (last, middle) = (self.weights.len() - 1, self.weights.len() / 2);
        let mut sums = self.first(middle, samples, step);
        for (index, weight) in self.weights[..middle].iter().enumerate() {
            let left: &[B; N] = lanes(&samples[index * step..]);
            let right: &[B; N] = lanes(&samples[(last - index) * step..]);
            for lane in 0..N {
                sums[lane] = sums[lane] + combine(left[lane].into(), right[lane].into()) * *weight;
            }
        }
        sums
    }

    /// The first product of each sum.
    #[inline(always)]
    pub fn first<const N: usize, B: Number + Into<S>>(
        self,
        index: usize,
        samples: &[B],
        step: usize,
    ) -> [S; N] {
        let samples: &[B; N] = lanes(&samples[index * step..]);
        let mut sums = [S::default(); N];
        for lane in 0..N {
            sums[lane] = samples[lane].into() * self.weights[index];
        }
        sums
    }
}

#[inline(always)]
pub(crate) fn lanes<const N: usize, B>(samples: &[B]) -> &[B; N] {
    samples.first_chunk().expect("samples for whole tiles")
}
