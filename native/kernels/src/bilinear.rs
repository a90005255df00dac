//! Order 1 at points of a row whose two by two neighbours all lie inside: no border is tested.
//!
//! A sample is `p * (weight down) * (weight right)`, summed over the four neighbours in C order from zero, in `f64`:
//! SciPy's sum. Planes of a pixel share starts and weights; lanes are pixels, or the planes of one pixel.
//!
//! Bytes are guessed first, in `f32`. With `p` up to 255 and `u = 2^-17`, half a unit in the last place of the largest
//! values: rounding a weight moves a product by at most u, and each product and sum rounds by at most u. So both
//! horizontal blends are off by at most 3 u, the vertical one by 3 u more for its inputs, u for the difference, u for
//! the weight, u for the product and u for the sum: 7 u; adding one half makes it 8 u = 2^-14. SciPy's own sum is off
//! by less than 1e-12. A block with a guess closer than [`DOUBT`] to a rounding edge is computed again in `f64`.

use crate::sample::Sample;
use crate::simd::Kernel;

/// Pixels computed at a time.
const BLOCK: usize = 32;

/// Guesses closer than this to a rounding edge are not trusted: a quarter more than the bound above.
const DOUBT: f32 = 5.0 / 65536.0;

/// The pixels of one row: where the first of the four neighbours lies, and how far behind it the point lies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Points {
    /// Elements from the beginning of the plane.
    pub starts: Vec<u32>,
    /// 0 to 1, downwards.
    pub down: Vec<f64>,
    /// 0 to 1, to the right.
    pub right: Vec<f64>,
}

impl Points {
    /// Room for `len` points.
    pub fn new(len: usize) -> Self {
        Self { starts: vec![0; len], down: vec![0.0; len], right: vec![0.0; len] }
    }

    /// A part of them.
    pub fn part(&self, range: std::ops::Range<usize>) -> Part<'_> {
        Part {
            starts: &self.starts[range.clone()],
            down: &self.down[range.clone()],
            right: &self.right[range],
        }
    }
}

/// Some neighbouring points.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part<'a> {
    starts: &'a [u32],
    down: &'a [f64],
    right: &'a [f64],
}

impl<'a> Part<'a> {
    /// Blocks of at most [`BLOCK`] points.
    #[inline(always)]
    fn blocks(self) -> impl Iterator<Item = Part<'a>> {
        let behind = self.down.chunks(BLOCK).zip(self.right.chunks(BLOCK));
        self.starts.chunks(BLOCK).zip(behind).map(|(starts, (down, right))| Part { starts, down, right })
    }

    /// The distances of a block, behind its end zeros.
    #[inline(always)]
    fn padded(&self) -> ([f64; BLOCK], [f64; BLOCK]) {
        let (mut down, mut right) = ([0.0; BLOCK], [0.0; BLOCK]);
        down[..self.down.len()].copy_from_slice(self.down);
        right[..self.right.len()].copy_from_slice(self.right);
        (down, right)
    }
}

/// Find the neighbours of points that lie at `0 <= y <= height - 1` and `0 <= x <= width - 1`.
///
/// A point on the last line counts as one whole step behind the last but one: its weights are then 0 and 1.
pub(crate) struct Locate<'a> {
    pub y: &'a [f64],
    pub x: &'a [f64],
    /// Lengths of the axes, 2 to 2^31; both strides times both lengths stay below 2^31.
    pub lens: [usize; 2],
    pub strides: [usize; 2],
    pub starts: &'a mut [u32],
    pub down: &'a mut [f64],
    pub right: &'a mut [f64],
}

impl Kernel for Locate<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let [last_row, last_column] = self.lens.map(|len| len as i32 - 2);
        // Integers below 2^31 are exact in f64, where they multiply faster than in integer registers.
        let [row_step, column_step] = self.strides.map(|stride| stride as f64);
        // Half of a register's worth of integers stands for one of floats: both stay in step over slices of one length.
        let count = self.starts.len();
        let (y, x) = (&self.y[..count], &self.x[..count]);
        let (down, right) = (&mut self.down[..count], &mut self.right[..count]);
        for i in 0..count {
            // SAFETY: callers pass coordinates from 0 to a length below 2^31. Never negative, they truncate as `floor`.
            let (row, column) = unsafe { (y[i].to_int_unchecked::<i32>(), x[i].to_int_unchecked::<i32>()) };
            let (row, column) = (f64::from(row.min(last_row)), f64::from(column.min(last_column)));
            down[i] = y[i] - row;
            right[i] = x[i] - column;
            // SAFETY: an offset of an element, below 2^31.
            self.starts[i] =
                unsafe { (row * row_step + column * column_step).to_int_unchecked::<i32>() } as u32;
        }
    }
}

/// Sum in `f64`, for every inner plane.
pub(crate) struct Sum<'a, T> {
    /// The elements from the beginning of the plane on.
    pub elements: &'a [T],
    pub strides: [usize; 2],
    /// Where each inner plane begins.
    pub inner: &'a [usize],
    pub points: Part<'a>,
    /// All planes of the first point, then of the second, and so on.
    pub to: &'a mut [f64],
}

impl<T: Sample> Kernel for Sum<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.inner {
            [0, 1, 2] => self.side_by_side::<3>(),
            [0, 1, 2, 3] => self.side_by_side::<4>(),
            _ => self.plane_by_plane(),
        }
    }
}

impl<T: Sample> Sum<'_, T> {
    /// Lanes are planes: four are read, and computed, where there are three.
    #[inline(always)]
    fn side_by_side<const PLANES: usize>(self) {
        let [down, right] = self.strides;
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        let points = self.points.starts.iter().zip(self.points.down.iter().zip(self.points.right));
        for (to, (start, (y, x))) in to.iter_mut().zip(points) {
            let start = *start as usize;
            let near = [four(self.elements, start), four(self.elements, start + right)];
            let far = [four(self.elements, start + down), four(self.elements, start + down + right)];
            let (rows, columns) = (pair(*y), pair(*x));
            let mut sum = [0.0; 4];
            for (taps, row) in [near, far].iter().zip(rows) {
                for (taps, column) in taps.iter().zip(columns) {
                    (0..4).for_each(|plane| sum[plane] += taps[plane] * row * column);
                }
            }
            to.copy_from_slice(&sum[..PLANES]);
        }
    }

    /// Lanes are pixels.
    #[inline(always)]
    fn plane_by_plane(self) {
        let [down, right] = self.strides;
        let planes = self.inner.len();
        let mut to = self.to.chunks_mut(BLOCK * planes);
        let mut taps = [[T::default(); BLOCK]; 4];
        for (block, to) in self.points.blocks().zip(&mut to) {
            let (y, x) = block.padded();
            for (plane, offset) in self.inner.iter().enumerate() {
                let elements = &self.elements[*offset..];
                for (i, start) in block.starts.iter().enumerate() {
                    let start = *start as usize;
                    let (near, far) = (&elements[start..=start + right], &elements[start + down..][..=right]);
                    (taps[0][i], taps[1][i]) = (near[0], near[right]);
                    (taps[2][i], taps[3][i]) = (far[0], far[right]);
                }
                let mut sums = [0.0; BLOCK];
                for i in 0..BLOCK {
                    let [a, b, c, d] = [taps[0][i], taps[1][i], taps[2][i], taps[3][i]];
                    sums[i] = blend([a.to_f64(), b.to_f64(), c.to_f64(), d.to_f64()], y[i], x[i]);
                }
                if planes == 1 {
                    to.copy_from_slice(&sums[..to.len()]);
                } else {
                    to[plane..].iter_mut().step_by(planes).zip(sums).for_each(|(to, sum)| *to = sum);
                }
            }
        }
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

/// Four elements side by side; zeros behind the last.
#[inline(always)]
fn four<T: Sample>(elements: &[T], start: usize) -> [f64; 4] {
    match elements[start..].first_chunk::<4>() {
        Some([a, b, c, d]) => [a.to_f64(), b.to_f64(), c.to_f64(), d.to_f64()],
        None => four_at_the_end(&elements[start..]),
    }
}

#[cold]
fn four_at_the_end<T: Sample>(rest: &[T]) -> [f64; 4] {
    let mut four = [0.0; 4];
    four.iter_mut().zip(rest).for_each(|(to, from)| *to = from.to_f64());
    four
}

/// The rounded bytes, for up to four planes that lie side by side in pixels that lie side by side.
pub(crate) struct Bytes<'a> {
    /// The elements from the beginning of the plane on.
    pub elements: &'a [u8],
    /// Distance of rows.
    pub down: usize,
    pub planes: usize,
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

/// All planes of a block's neighbours, one pixel a word: near left, near right, far left, far right.
type Words = [[u32; BLOCK]; 4];

impl Bytes<'_> {
    #[inline(always)]
    fn write<const PLANES: usize>(self) {
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        let mut words: Words = [[0; BLOCK]; 4];
        for (block, to) in self.points.blocks().zip(to.chunks_mut(BLOCK)) {
            for (i, start) in block.starts.iter().enumerate() {
                let start = *start as usize;
                let near = eight(self.elements, start);
                let far = eight(self.elements, start + self.down);
                words[0][i] = near as u32;
                words[1][i] = (near >> (8 * PLANES)) as u32;
                words[2][i] = far as u32;
                words[3][i] = (far >> (8 * PLANES)) as u32;
            }
            let (y, x) = block.padded();
            let (mut mixed, doubtful) = guess::<PLANES>(&words, &y, &x);
            if doubtful {
                mixed = exact::<PLANES>(&words, &y, &x);
            }
            for (to, mixed) in to.iter_mut().zip(mixed) {
                to.copy_from_slice(&mixed.to_le_bytes()[..PLANES]);
            }
        }
    }
}

/// Eight bytes as a little-endian word; zeros behind the last.
#[inline(always)]
fn eight(elements: &[u8], start: usize) -> u64 {
    match elements[start..].first_chunk::<8>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => eight_at_the_end(&elements[start..]),
    }
}

#[cold]
fn eight_at_the_end(rest: &[u8]) -> u64 {
    rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// One plane of a word.
#[inline(always)]
fn byte(word: u32, plane: usize) -> i32 {
    (word >> (8 * plane) & 0xff) as i32
}

/// Rounded blends in `f32`, and whether one is in doubt.
#[inline(always)]
fn guess<const PLANES: usize>(words: &Words, y: &[f64; BLOCK], x: &[f64; BLOCK]) -> ([u32; BLOCK], bool) {
    let (mut mixed, mut doubt) = ([0_u32; BLOCK], [0_u32; BLOCK]);
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
            let raised = near + (far - near) * down[i] + 0.5;
            // SAFETY: between 0 and 256, by the bound above.
            let rounded = unsafe { raised.to_int_unchecked::<i32>() };
            let above = raised - rounded as f32;
            doubt[i] |= u32::from(above < DOUBT) | u32::from(above > 1.0 - DOUBT);
            mixed[i] |= (rounded as u32) << (8 * plane);
        }
    }
    (mixed, doubt.iter().fold(0, |any, doubt| any | doubt) != 0)
}

/// Rounded blends in `f64`, as SciPy computes them.
#[inline(always)]
fn exact<const PLANES: usize>(words: &Words, y: &[f64; BLOCK], x: &[f64; BLOCK]) -> [u32; BLOCK] {
    let mut mixed = [0_u32; BLOCK];
    for plane in 0..PLANES {
        for i in 0..BLOCK {
            let (a, b) = (f64::from(byte(words[0][i], plane)), f64::from(byte(words[1][i], plane)));
            let (c, d) = (f64::from(byte(words[2][i], plane)), f64::from(byte(words[3][i], plane)));
            mixed[i] |= u32::from(u8::from_f64_rounded(blend([a, b, c, d], y[i], x[i]))) << (8 * plane);
        }
    }
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::{Level, dispatch, force, level};
    use proptest::prelude::*;

    const SIZE: [usize; 2] = [5, 6];

    /// Points and an image from a seed; every fourth distance is one that makes ties.
    fn some_points(count: usize, planes: usize, mut seed: u64) -> (Vec<u8>, Vec<f64>, Vec<f64>) {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        let image = (0..SIZE[0] * SIZE[1] * planes).map(|_| (next() % 256) as u8).collect();
        let mut line = |len: usize| -> Vec<f64> {
            let far = (len - 1) as f64;
            (0..count)
                .map(|_| match next() % 4 {
                    0 => (next() % (4 * len as u64 - 3)) as f64 / 4.0,
                    1 => far,
                    _ => far * (next() % 1_000_003) as f64 / 1_000_003.0,
                })
                .collect()
        };
        let (y, x) = (line(SIZE[0]), line(SIZE[1]));
        (image, y, x)
    }

    /// The sum at one point, from the definition.
    fn plain(image: &[u8], planes: usize, plane: usize, y: f64, x: f64) -> f64 {
        let (row, column) = (y.floor().min(SIZE[0] as f64 - 2.0), x.floor().min(SIZE[1] as f64 - 2.0));
        let (ty, tx) = (y - row, x - column);
        let mut sum = 0.0;
        for (i, down) in [1.0 - ty, 1.0 - (1.0 - ty)].into_iter().enumerate() {
            for (j, right) in [1.0 - tx, 1.0 - (1.0 - tx)].into_iter().enumerate() {
                let at = ((row as usize + i) * SIZE[1] + column as usize + j) * planes + plane;
                sum += f64::from(image[at]) * down * right;
            }
        }
        sum
    }

    proptest! {
        #[test]
        fn blocks_equal_the_definition(count in 0_usize..70, planes in 1_usize..=7, seed in any::<u64>()) {
            let (image, y, x) = some_points(count, planes, seed);
            let strides = [SIZE[1] * planes, planes];
            let inner: Vec<usize> = (0..planes).collect();
            let sums: Vec<f64> = (0..count * planes)
                .map(|i| plain(&image, planes, i % planes, y[i / planes], x[i / planes]))
                .collect();
            let before = level();
            for wanted in [Level::Baseline, Level::Avx2, Level::Avx512] {
                force(wanted);
                let mut points = Points::new(count);
                let Points { starts, down, right } = &mut points;
                dispatch(Locate { y: &y, x: &x, lens: SIZE, strides, starts, down, right });
                let mut to = vec![f64::NAN; count * planes];
                let part = points.part(0..count);
                dispatch(Sum { elements: &image, strides, inner: &inner, points: part, to: &mut to });
                prop_assert_eq!(&to, &sums);
                if planes <= 4 {
                    let mut to = vec![77; count * planes];
                    dispatch(Bytes { elements: &image, down: strides[0], planes, points: part, to: &mut to });
                    let rounded: Vec<u8> = sums.iter().map(|sum| u8::from_f64_rounded(*sum)).collect();
                    prop_assert_eq!(&to, &rounded);
                }
            }
            force(before);
        }
    }
}
