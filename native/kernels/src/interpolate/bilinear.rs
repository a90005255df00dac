//! Order 1 at points of a row whose two by two neighbours all lie inside: no border is tested.
//!
//! A sample is `p * (weight down) * (weight right)`, summed over the four neighbours in C order from zero, in `f64`:
//! SciPy's sum. Planes of a pixel share starts and weights; lanes are pixels, or the planes of one pixel.
//!
//! Bytes are guessed first, in `f32`. With `p` up to 255 and `u = 2^-17`, half a unit in the last place of the largest
//! values: rounding a weight moves a product by at most u, and each product and sum rounds by at most u. So both
//! horizontal blends are off by at most 3 u, the vertical one by 3 u for its inputs, u for the difference, u for the
//! weight, u for the product and u for the sum: 7 u. SciPy's own sum is off by less than 1e-12. A block with a guess
//! closer than [`DOUBT`] to a rounding edge is computed again in `f64`.

mod pairs;
#[cfg(test)]
mod tests;

use crate::array::sample::Sample;
use crate::exec::simd::{Kernel, dispatch, prefetch};
use crate::interpolate::linear_coords::Ramp;
use crate::memory::{self, CollectVec};
use pairs::is_many;
use std::ops::Range;

/// Pixels computed at a time.
pub(crate) const BLOCK: usize = 32;

/// Points whose neighbours are fetched before any is blended: what was stored just now is slow to load in one piece.
const FETCHED: usize = 2 * BLOCK;

/// Points from one that is blended to the one whose neighbours are asked for, where three or four planes are lanes.
const AHEAD: usize = 48;

/// Guesses closer than this to a rounding edge are not trusted: 8 u, the bound above and a little more.
const DOUBT: f32 = 1.0 / 16384.0;

/// Added to a number below 2^22 it leaves the nearest integer in the low bits of the sum.
const SHIFTER: f32 = 12_582_912.0;

/// The pixels of one row: where the first of the four neighbours lies, and how far behind it the point lies.
#[derive(Debug)]
pub(crate) struct Points {
    /// Elements from the beginning of the plane; behind the last a block of any numbers, so that every block is whole.
    pub starts: Vec<u32>,
    /// 0 to 1, downwards; as long.
    pub down: Vec<f64>,
    /// 0 to 1, to the right; as long.
    pub right: Vec<f64>,
}

impl Points {
    /// Room for `len` points.
    pub fn new(len: usize) -> Self {
        let len = len + BLOCK;
        Self { starts: memory::zeros(len), down: memory::zeros(len), right: memory::zeros(len) }
    }

    /// A part of them.
    pub fn part(&self, range: Range<usize>) -> Part<'_> {
        let behind = range.start..range.end + BLOCK;
        let (down, right) = (&self.down[behind.clone()], &self.right[behind]);
        Part { starts: &self.starts[range], down, right, level: None }
    }

    /// Both weights to the right of every point of a part.
    pub fn weights(&self, range: Range<usize>) -> Vec<[f64; 2]> {
        self.right[range].iter().map(|right| pair(*right)).collect_vec()
    }

    /// A part of them, all of which lie equally far down, in place of what is said here; with its
    /// [`weights`](Self::weights), as rows share them.
    pub fn level_part<'a>(
        &'a self,
        range: Range<usize>,
        down: &'a [f64; BLOCK],
        weights: &'a [[f64; 2]],
    ) -> Part<'a> {
        Part { down, level: Some(weights), ..self.part(range) }
    }
}

/// Some neighbouring points.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    starts: &'a [u32],
    down: &'a [f64],
    right: &'a [f64],
    /// Both weights to the right, if all lie equally far down; then `down` is one block of that number.
    level: Option<&'a [[f64; 2]]>,
}

impl<'a> Part<'a> {
    /// Parts of at most `len` points.
    #[inline(always)]
    fn chunks(self, len: usize) -> impl Iterator<Item = Part<'a>> {
        let parts = self.starts.chunks(len).zip(self.right.chunks(len));
        parts.enumerate().map(move |(number, (starts, right))| {
            let down = if self.level.is_some() { self.down } else { &self.down[number * len..] };
            let level = self.level.map(|weights| &weights[number * len..]);
            Part { starts, down, right, level }
        })
    }

    /// The distances of `LEN` points, from one of them on; no more than a block.
    #[inline(always)]
    fn block<const LEN: usize>(&self, at: usize) -> [&'a [f64; LEN]; 2] {
        let block =
            |distances: &'a [f64]| distances.first_chunk().expect("a block lies behind the last point");
        [block(if self.level.is_some() { self.down } else { &self.down[at..] }), block(&self.right[at..])]
    }

    /// The distances of a block.
    #[inline(always)]
    fn whole(&self) -> (&'a [f64; BLOCK], &'a [f64; BLOCK]) {
        let block =
            |distances: &'a [f64]| distances.first_chunk().expect("a block lies behind the last point");
        (block(self.down), block(self.right))
    }
}

/// Find the neighbours of points, and mark those that lie outside; these get some point inside.
///
/// A point on the last line counts as one whole step behind the last but one: its weights are then 0 and 1.
pub(crate) struct Locate<'a> {
    pub y: &'a [f64],
    pub x: &'a [f64],
    /// Where points lie inside on each axis, from 0 or above to the last line or below; not empty.
    pub intervals: [(f64, f64); 2],
    /// Lengths of the axes, 2 to 2^31; both strides times both lengths stay below 2^31.
    pub lens: [usize; 2],
    pub strides: [usize; 2],
    pub points: &'a mut Points,
    pub outside: &'a mut [bool],
}

impl Kernel for Locate<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let finder = Finder::new(self.lens, self.strides);
        // Half of a register's worth of integers stands for one of floats: both stay in step over slices of one length.
        let count = self.outside.len();
        let (ys, xs) = (&self.y[..count], &self.x[..count]);
        let Points { starts, down, right } = self.points;
        let (starts, down, right) = (&mut starts[..count], &mut down[..count], &mut right[..count]);
        let [(top, bottom), (left, end)] = self.intervals;
        for i in 0..count {
            let (y, x) = (ys[i], xs[i]);
            // NaN lies outside.
            let inside = (y >= top) & (y <= bottom) & (x >= left) & (x <= end);
            self.outside[i] = !inside;
            let (y, x) = if inside { (y, x) } else { (top, left) };
            (starts[i], down[i], right[i]) = finder.find(y, x);
        }
    }
}

/// As [`Locate`], for positions of rows whose coordinates rise or fall by equal steps.
pub(crate) struct LocateOnRamps<'a> {
    pub rows: &'a [Ramps],
    /// As for [`Locate`].
    pub lens: [usize; 2],
    pub strides: [usize; 2],
    pub points: &'a mut Points,
}

/// A row of them.
pub(crate) struct Ramps {
    pub y: Ramp,
    pub x: Ramp,
    /// One at least.
    pub positions: Range<usize>,
    /// The first point that is written; behind it there is room for all positions.
    pub at: usize,
}

impl Kernel for LocateOnRamps<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let finder = Finder::new(self.lens, self.strides);
        for Ramps { y, x, positions, at } in self.rows {
            // The last position again and again fills a block: what is left of a short row costs more, one by one.
            let range = *at..at + positions.len().next_multiple_of(BLOCK);
            let Points { starts, down, right } = &mut *self.points;
            let (starts, down) = (&mut starts[range.clone()], &mut down[range.clone()]);
            let right = &mut right[range.clone()];
            // A position below 2^31 is exact as i32, which becomes f64 in one instruction at every level.
            let (first, last) = (positions.start as i32, positions.end as i32 - 1);
            for i in 0..range.len() {
                let position = f64::from((first + i as i32).min(last));
                let (y, x) = (y.start + position * y.step, x.start + position * x.step);
                (starts[i], down[i], right[i]) = finder.find(y, x);
            }
        }
    }
}

/// What finding the neighbours of a point needs to know of the image.
struct Finder {
    last: [i32; 2],
    strides: [f64; 2],
}

impl Finder {
    #[inline(always)]
    fn new(lens: [usize; 2], strides: [usize; 2]) -> Self {
        // Integers below 2^31 are exact in f64, where they multiply faster than in integer registers.
        Self { last: lens.map(|len| len as i32 - 2), strides: strides.map(|stride| stride as f64) }
    }

    /// Where the neighbours begin, and how far behind the point lies, downwards and to the right.
    #[inline(always)]
    fn find(&self, y: f64, x: f64) -> (u32, f64, f64) {
        // SAFETY: callers pass coordinates from 0 to a length below 2^31. Never negative, they truncate as `floor`.
        let (row, column) = unsafe { (y.to_int_unchecked::<i32>(), x.to_int_unchecked::<i32>()) };
        let (row, column) = (f64::from(row.min(self.last[0])), f64::from(column.min(self.last[1])));
        let offset = row * self.strides[0] + column * self.strides[1];
        // SAFETY: an offset of an element, below 2^31.
        let start = unsafe { offset.to_int_unchecked::<i32>() } as u32;
        (start, y - row, x - column)
    }
}

/// Sum in `f64`, and store by the rounding cast, for every inner plane.
pub(crate) struct Sum<'a, T, O> {
    /// The elements from the beginning of the plane on.
    pub elements: &'a [T],
    pub strides: [usize; 2],
    /// Where each inner plane begins.
    pub inner: &'a [usize],
    /// Whether the neighbours of planes taken one by one are asked for before their turn.
    pub is_large: bool,
    pub points: Part<'a>,
    /// All planes of the first point, then of the second, and so on.
    pub to: &'a mut [O],
}

impl<T: Sample, O: Sample> Kernel for Sum<'_, T, O> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.inner {
            [0, 1, 2] if self.points.level.is_some() => self.side_by_side::<3, true>(),
            [0, 1, 2] => self.side_by_side::<3, false>(),
            [0, 1, 2, 3] if self.points.level.is_some() => self.side_by_side::<4, true>(),
            [0, 1, 2, 3] => self.side_by_side::<4, false>(),
            inner if is_many(inner) => self.pixel_by_pixel(),
            _ if self.strides[1] == 1 => self.plane_by_plane::<true>(),
            _ => self.plane_by_plane::<false>(),
        }
    }
}

impl<T: Sample, O: Sample> Sum<'_, T, O> {
    /// Lanes are planes: four are read, computed and stored where there are three, the last to be overwritten by the
    /// next pixel's first. `LEVEL` where all points lie equally far down: then all weights are made before.
    #[inline(always)]
    fn side_by_side<const PLANES: usize, const LEVEL: bool>(self) {
        let [down, right] = self.strides;
        let Part { starts, down: y, right: x, level } = self.points;
        let (count, elements, to) = (starts.len(), self.elements, self.to);
        let last = starts.iter().fold(0, |last, start| last.max(*start)) as usize;
        let ends_inside = last + down + right + 4 <= elements.len();
        // The last pixel has no next one.
        let alone = if ends_inside { count.saturating_sub(1) } else { 0 };
        let (first, y, x) = (pair(y[0]), if LEVEL { y } else { &y[..count] }, &x[..count]);
        let level = if LEVEL { &level.expect("level points have weights")[..count] } else { &[] };
        let weights = |i: usize| if LEVEL { (first, level[i]) } else { (pair(y[i]), pair(x[i])) };
        assert!(PLANES <= 4 && to.len() == PLANES * count);
        for (i, start) in starts.iter().enumerate().take(alone) {
            let near = *start as usize;
            let far = near + down;
            if !LEVEL {
                // This costs nothing where elements are near, and brings a tenth where they are in the third cache.
                ask_for(elements, down, &starts[(i + AHEAD).min(count - 1)..][..1]);
            }
            // SAFETY: no start is above `last`, so the last four end within the elements.
            let four = |at: usize| unsafe { *elements.as_ptr().add(at).cast::<[T; 4]>() };
            let mixed = mix([four(near), four(near + right), four(far), four(far + right)], weights(i));
            // SAFETY: a pixel follows, so that four elements do not reach beyond the end.
            unsafe { to.as_mut_ptr().add(PLANES * i).cast::<[O; 4]>().write(mixed) };
        }
        for i in alone..count {
            let near = starts[i] as usize;
            let far = near + down;
            let four = |at: usize| four_at(elements, at);
            let mixed: [O; 4] =
                mix([four(near), four(near + right), four(far), four(far + right)], weights(i));
            to[PLANES * i..][..PLANES].copy_from_slice(&mixed[..PLANES]);
        }
    }
}

/// Ask for the neighbours from every start on, and those a row below: along slanting lines processors do not foresee them.
#[inline(always)]
fn ask_for<T>(elements: &[T], down: usize, starts: &[u32]) {
    for start in starts {
        prefetch(elements, *start as usize);
        prefetch(elements, *start as usize + down);
    }
}

/// Both weights on an axis, of a point so far behind the first neighbour.
#[inline(always)]
fn pair(behind: f64) -> [f64; 2] {
    let first = 1.0 - behind;
    [first, 1.0 - first]
}

/// SciPy's sum.
#[inline(always)]
fn blend(taps: [f64; 4], y: f64, x: f64) -> f64 {
    let (rows, columns) = (pair(y), pair(x));
    let mut sum = 0.0;
    for tap in 0..4 {
        sum += taps[tap] * rows[tap / 2] * columns[tap % 2];
    }
    sum
}

/// SciPy's sums of four planes, stored.
#[inline(always)]
fn mix<T: Sample, O: Sample>(taps: [[T; 4]; 4], (rows, columns): ([f64; 2], [f64; 2])) -> [O; 4] {
    let mut sum = [0.0; 4];
    for tap in 0..4 {
        for plane in 0..4 {
            sum[plane] += taps[tap][plane].to_f64() * rows[tap / 2] * columns[tap % 2];
        }
    }
    let mut stored = [O::default(); 4];
    for plane in 0..4 {
        stored[plane] = O::from_f64_rounded(sum[plane]);
    }
    stored
}

/// Four elements side by side; behind the last, any.
#[inline(always)]
fn four_at<T: Sample>(elements: &[T], start: usize) -> [T; 4] {
    elements[start..].first_chunk::<4>().copied().unwrap_or_else(|| {
        let mut four = [T::default(); 4];
        four.iter_mut().zip(&elements[start..]).for_each(|(to, from)| *to = *from);
        four
    })
}

/// The rounded bytes, for up to four planes that lie side by side in pixels that lie side by side.
pub(crate) struct Bytes<'a> {
    /// The elements from the beginning of the plane on.
    pub elements: &'a [u8],
    /// Distance of rows.
    pub down: usize,
    pub planes: usize,
    /// Whether elements are asked for before their turn.
    pub is_large: bool,
    pub points: Part<'a>,
    pub to: &'a mut [u8],
}

impl Kernel for Bytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.planes {
            1 => self.write::<1>(),
            2 => self.write::<2>(),
            3 => self.write::<3>(),
            _ => self.write::<4>(),
        }
    }
}

impl Bytes<'_> {
    #[inline(always)]
    fn write<const PLANES: usize>(self) {
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        let (mut near, mut far) = ([0_u64; FETCHED], [0_u64; FETCHED]);
        let mut next = self.points.starts.chunks(FETCHED).skip(1);
        for (part, to) in self.points.chunks(FETCHED).zip(to.chunks_mut(FETCHED)) {
            if let Some(next) = next.next().filter(|_| self.is_large) {
                ask_for(self.elements, self.down, next);
            }
            let last = part.starts.iter().fold(0, |last, start| last.max(*start));
            fetch(self.elements, self.down, part.starts, last, &mut near, &mut far);
            let (near, _) = near.as_chunks::<BLOCK>();
            let (far, _) = far.as_chunks::<BLOCK>();
            let to = to.chunks_mut(BLOCK);
            for ((block, to), (near, far)) in part.chunks(BLOCK).zip(to).zip(near.iter().zip(far)) {
                let (y, x) = block.whole();
                let (mut mixed, doubtful) = guess::<PLANES>(near, far, y, x);
                if doubtful {
                    mixed = repair::<PLANES>(near, far, y, x);
                }
                store(to.as_flattened_mut(), &mixed, PLANES);
            }
        }
    }
}

/// Store the first planes of every word; of three planes two words at once, overwritten behind by the next two.
#[inline(always)]
fn store(to: &mut [u8], words: &[u32; BLOCK], planes: usize) {
    let mut stored = 0;
    if planes == 3 {
        let mut pairs = [0_u64; BLOCK / 2];
        for i in 0..BLOCK / 2 {
            pairs[i] = u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 24;
        }
        for (i, pair) in pairs.iter().enumerate().take(to.len().saturating_sub(2) / 6) {
            to[6 * i..6 * i + 8].copy_from_slice(&pair.to_le_bytes());
            stored = 2 * i + 2;
        }
    }
    for (to, word) in to.chunks_exact_mut(planes).zip(words).skip(stored) {
        to.copy_from_slice(&word.to_le_bytes()[..planes]);
    }
}

/// The eight bytes from every start on, and those a row below.
///
/// A function of its own, so that it is compiled for the baseline: the wider levels make gather instructions of this
/// loop, which take twice the time.
#[inline(never)]
fn fetch(elements: &[u8], down: usize, starts: &[u32], last: u32, near: &mut [u64], far: &mut [u64]) {
    let words = starts.iter().zip(near.iter_mut().zip(far));
    if last as usize + down + 8 <= elements.len() {
        for (start, (near, far)) in words {
            // SAFETY: no start is above `last`, so both words end within the elements.
            (*near, *far) = unsafe {
                let near = elements.as_ptr().add(*start as usize);
                (near.cast::<u64>().read_unaligned(), near.add(down).cast::<u64>().read_unaligned())
            };
            (*near, *far) = (u64::from_le(*near), u64::from_le(*far));
        }
    } else {
        for (start, (near, far)) in words {
            (*near, *far) = (eight(elements, *start as usize), eight(elements, *start as usize + down));
        }
    }
}

/// Eight bytes as a little-endian word; zeros behind the last.
#[inline(always)]
fn eight(elements: &[u8], start: usize) -> u64 {
    match elements[start..].first_chunk::<8>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => elements[start..].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// All planes of a block's neighbours, one pixel a word: near left, near right, far left, far right.
#[inline(always)]
fn words<const PLANES: usize>(near: &[u64; BLOCK], far: &[u64; BLOCK]) -> [[u32; BLOCK]; 4] {
    let mut words = [[0; BLOCK]; 4];
    for i in 0..BLOCK {
        words[0][i] = near[i] as u32;
        words[1][i] = (near[i] >> (8 * PLANES)) as u32;
        words[2][i] = far[i] as u32;
        words[3][i] = (far[i] >> (8 * PLANES)) as u32;
    }
    words
}

/// One plane of a word.
#[inline(always)]
fn byte(word: u32, plane: usize) -> i32 {
    (word >> (8 * plane) & 0xff) as i32
}

/// Rounded blends in `f32`, and whether one is in doubt.
#[inline(always)]
fn guess<const PLANES: usize>(
    near: &[u64; BLOCK],
    far: &[u64; BLOCK],
    y: &[f64; BLOCK],
    x: &[f64; BLOCK],
) -> ([u32; BLOCK], bool) {
    let words = words::<PLANES>(near, far);
    let (mut mixed, mut worst) = ([0_u32; BLOCK], [0.0_f32; BLOCK]);
    let (mut down, mut right) = ([0.0_f32; BLOCK], [0.0_f32; BLOCK]);
    for i in 0..BLOCK {
        (down[i], right[i]) = (y[i] as f32, x[i] as f32);
    }
    for plane in 0..PLANES {
        for i in 0..BLOCK {
            let (a, b) = (byte(words[0][i], plane) as f32, byte(words[1][i], plane) as f32);
            let (c, d) = (byte(words[2][i], plane) as f32, byte(words[3][i], plane) as f32);
            let near = a + (b - a) * right[i];
            let far = c + (d - c) * right[i];
            let value = near + (far - near) * down[i];
            // Both differences are exact, and 2^-14 short of one half there is no doubt about the nearest integer.
            let shifted = value + SHIFTER;
            let beside = (value - (shifted - SHIFTER)).abs();
            worst[i] = if beside > worst[i] { beside } else { worst[i] };
            mixed[i] |= (shifted.to_bits() & 0xff) << (8 * plane);
        }
    }
    let doubtful = worst.iter().fold(false, |any, worst| any | (*worst > 0.5 - DOUBT));
    (mixed, doubtful)
}

/// As [`Exact`]. A function of its own: nothing of [`guess`] has to be kept in memory for it.
#[inline(never)]
fn repair<const PLANES: usize>(
    near: &[u64; BLOCK],
    far: &[u64; BLOCK],
    y: &[f64; BLOCK],
    x: &[f64; BLOCK],
) -> [u32; BLOCK] {
    dispatch(Exact::<PLANES> { near, far, y, x })
}

/// Rounded blends of a block in `f64`, as SciPy computes them.
struct Exact<'a, const PLANES: usize> {
    near: &'a [u64; BLOCK],
    far: &'a [u64; BLOCK],
    y: &'a [f64; BLOCK],
    x: &'a [f64; BLOCK],
}

impl<const PLANES: usize> Kernel for Exact<'_, PLANES> {
    type Output = [u32; BLOCK];

    #[inline(always)]
    fn run(self) -> [u32; BLOCK] {
        let (words, mut mixed) = (words::<PLANES>(self.near, self.far), [0_u32; BLOCK]);
        for plane in 0..PLANES {
            for i in 0..BLOCK {
                let (a, b) = (f64::from(byte(words[0][i], plane)), f64::from(byte(words[1][i], plane)));
                let (c, d) = (f64::from(byte(words[2][i], plane)), f64::from(byte(words[3][i], plane)));
                let rounded = u8::from_f64_rounded(blend([a, b, c, d], self.y[i], self.x[i]));
                mixed[i] |= u32::from(rounded) << (8 * plane);
            }
        }
        mixed
    }
}
