//! The smallest or largest sample of a full box: along one axis after the other, in doubled windows.

use std::ops::Range;

use super::key::Key;
use crate::simd::{Kernel, dispatch};

/// Keys that are compared side by side: the rows of a usual window, of that width, fit the first-level cache.
const STRIP: usize = 128;

/// A window of `len` samples along an axis with steps of `step` and `count` positions, in a padded band.
#[derive(Clone, Copy, Debug)]
struct Along {
    len: usize,
    step: usize,
    count: usize,
}

/// A full box, as its axes.
#[derive(Debug)]
pub(super) struct FullBox {
    axes: Vec<Along>,
    largest: bool,
}

impl FullBox {
    /// `axes`: the length of the window, the step in a padded band and, but for the first, the positions there.
    pub(super) fn new(axes: impl Iterator<Item = (usize, usize, usize)>, largest: bool) -> Self {
        let axes = axes.map(|(len, step, count)| Along { len, step, count }).collect();
        Self { axes, largest }
    }

    /// Replace each of the keys of a band by the extreme one of the box that begins there.
    ///
    /// Boxes that reach beyond an axis's end give some key that nobody asked for.
    pub(super) fn select<K: Key>(&self, padded: &mut [K]) {
        if self.largest {
            dispatch(Doubling { axes: &self.axes, padded, choose: K::max });
        } else {
            dispatch(Doubling { axes: &self.axes, padded, choose: K::min });
        }
    }
}

struct Doubling<'a, K, F> {
    axes: &'a [Along],
    padded: &'a mut [K],
    choose: F,
}

impl<K: Key, F: Fn(K, K) -> K> Kernel for Doubling<'_, K, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { axes, padded, choose } = self;
        let mut spare = (Vec::new(), Vec::new());
        for (place, along) in axes.iter().enumerate().filter(|(_, along)| along.len > 1) {
            let Along { len, step, count } = *along;
            let slab = if place == 0 { padded.len() / step * step } else { count * step };
            for slab in padded.chunks_exact_mut(slab.max(1)) {
                if step < STRIP {
                    double_near(slab, len, step, &mut spare, &choose);
                } else {
                    for start in (0..step).step_by(STRIP) {
                        double_rows(slab, len, step, start..(start + STRIP).min(step), &choose);
                    }
                }
            }
        }
    }
}

/// How windows grow to `len`: the best of 2k samples is the better of two bests of k, and the last step overlaps.
///
/// Gives how far ahead the second window is, and how many of `count` positions have a whole one.
fn doublings(len: usize, count: usize) -> impl Iterator<Item = (usize, usize)> {
    let (mut covered, mut valid) = (1, count);
    std::iter::from_fn(move || {
        (covered < len).then(|| {
            let grown = (2 * covered).min(len);
            let shift = grown - covered;
            valid = valid.saturating_sub(shift);
            covered = grown;
            (shift, valid)
        })
    })
}

/// Along an axis with long steps: the keys of `columns` in each row of `slab`, in place.
#[inline(always)]
fn double_rows<K: Key>(
    slab: &mut [K],
    len: usize,
    step: usize,
    columns: Range<usize>,
    choose: &impl Fn(K, K) -> K,
) {
    for (shift, rows) in doublings(len, slab.len() / step) {
        for row in 0..rows {
            let (near, far) = slab.split_at_mut((row + shift) * step);
            let near = &mut near[row * step..][columns.clone()];
            choose_each(near, &far[columns.clone()], choose);
        }
    }
}

#[inline(always)]
fn choose_each<K: Key>(near: &mut [K], far: &[K], choose: &impl Fn(K, K) -> K) {
    if let (Ok(near), Ok(far)) = (<&mut [K; STRIP]>::try_from(&mut *near), <&[K; STRIP]>::try_from(far)) {
        for lane in 0..STRIP {
            near[lane] = choose(near[lane], far[lane]);
        }
        return;
    }
    for (near, far) in near.iter_mut().zip(far) {
        *near = choose(*near, *far);
    }
}

/// Along an axis with short steps: from one array to another, as keys that overlap are no plain loop.
#[inline(always)]
fn double_near<K: Key>(
    slab: &mut [K],
    len: usize,
    step: usize,
    spare: &mut (Vec<K>, Vec<K>),
    choose: &impl Fn(K, K) -> K,
) {
    let (from, to) = (&mut spare.0, &mut spare.1);
    from.clear();
    from.extend_from_slice(slab);
    to.resize(slab.len(), K::default());
    let mut all = slab.len();
    for (shift, valid) in doublings(len, slab.len() / step) {
        let (shift, valid) = (shift * step, valid * step);
        for ((to, near), far) in to[..valid].iter_mut().zip(&from[..valid]).zip(&from[shift..shift + valid]) {
            *to = choose(*near, *far);
        }
        std::mem::swap(from, to);
        all = valid;
    }
    slab[..all].copy_from_slice(&from[..all]);
}
