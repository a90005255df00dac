//! Bytes: blended in `f32`, and again in `f64` where that is not certain. See
//! [`bilinear`](crate::interpolate::bilinear).

use crate::array::sample::Sample;
use crate::exec::counts::match_count;
use crate::exec::simd::{Kernel, dispatch};
use crate::interpolate::bilinear::points::{BLOCK, PointsSlice};
use crate::interpolate::bilinear::sum::{blend, prefetch_neighbours};

/// Points whose neighbours are fetched before any is blended: loading in one piece what was just stored in several is
/// slow.
pub(crate) const FETCH_CHUNK: usize = 2 * BLOCK;

/// Values closer than this to a rounding boundary are not certain: 8 u = 2^-14, a little more than the error bound derived in
/// [`bilinear`](crate::interpolate::bilinear).
const MAX_ERROR: f32 = 1.0 / 16384.0;

/// Added to a number below 2^22, leaves the nearest integer in the low bits of the sum.
const SHIFTER: f32 = 12_582_912.0;

/// Blends up to four interleaved planes of bytes.
pub(crate) struct BlendBytes<'a> {
    /// The elements from the start of the plane on.
    pub elements: &'a [u8],
    /// Row stride.
    pub down: usize,
    pub planes: usize,
    /// Whether to prefetch neighbours.
    pub is_large: bool,
    pub points: PointsSlice<'a>,
    pub to: &'a mut [u8],
}

impl Kernel for BlendBytes<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match_count!(self.planes, self.write::<1, 2, 3; 4>())
    }
}

impl BlendBytes<'_> {
    #[inline(always)]
    fn write<const PLANES: usize>(self) {
        let (to, _) = self.to.as_chunks_mut::<PLANES>();
        let (mut near, mut far) = ([0_u64; FETCH_CHUNK], [0_u64; FETCH_CHUNK]);
        let mut next = self.points.starts.chunks(FETCH_CHUNK).skip(1);
        for (part, to) in self.points.chunks(FETCH_CHUNK).zip(to.chunks_mut(FETCH_CHUNK)) {
            if let Some(next) = next.next().filter(|_| self.is_large) {
                prefetch_neighbours(self.elements, self.down, next);
            }
            let last = part.starts.iter().fold(0, |last, start| last.max(*start));
            fetch(self.elements, self.down, part.starts, last, &mut near, &mut far);
            let (near, _) = near.as_chunks::<BLOCK>();
            let (far, _) = far.as_chunks::<BLOCK>();
            let to = to.chunks_mut(BLOCK);
            for ((block, to), (near, far)) in part.chunks(BLOCK).zip(to).zip(near.iter().zip(far)) {
                let (y, x) = block.whole();
                let (mut blended, uncertain) = approximate::<PLANES>(near, far, y, x);
                if uncertain {
                    blended = recompute::<PLANES>(near, far, y, x);
                }
                store(to.as_flattened_mut(), &blended, PLANES);
            }
        }
    }
}

/// Store the first planes of every word; for three planes two words at a time, overlapping with the next two.
#[inline(always)]
pub(crate) fn store(to: &mut [u8], words: &[u32; BLOCK], planes: usize) {
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

/// The eight bytes from every start on, and those one row below.
///
/// Not inlined, so that it is compiled for the baseline: wider levels would use gather instructions here, which take
/// twice the time.
#[inline(never)]
pub(crate) fn fetch(
    elements: &[u8],
    down: usize,
    starts: &[u32],
    last: u32,
    near: &mut [u64],
    far: &mut [u64],
) {
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

/// Eight bytes as a little-endian word, with zeros past the end.
#[inline(always)]
fn eight(elements: &[u8], start: usize) -> u64 {
    match elements[start..].first_chunk::<8>() {
        Some(eight) => u64::from_le_bytes(*eight),
        None => elements[start..].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// All planes of a block's neighbours, one pixel per word: near left, near right, far left, far right.
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

/// Blends in `f32`, rounded; and whether any is uncertain.
#[inline(always)]
pub(crate) fn approximate<const PLANES: usize>(
    near: &[u64; BLOCK],
    far: &[u64; BLOCK],
    y: &[f64; BLOCK],
    x: &[f64; BLOCK],
) -> ([u32; BLOCK], bool) {
    let words = words::<PLANES>(near, far);
    let (mut blended, mut worst) = ([0_u32; BLOCK], [0.0_f32; BLOCK]);
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
            // Both differences are exact, and up to 2^-14 below one half the nearest integer is certain.
            let shifted = value + SHIFTER;
            let beside = (value - (shifted - SHIFTER)).abs();
            worst[i] = if beside > worst[i] { beside } else { worst[i] };
            blended[i] |= (shifted.to_bits() & 0xff) << (8 * plane);
        }
    }
    let uncertain = worst.iter().fold(false, |any, worst| any | (*worst > 0.5 - MAX_ERROR));
    (blended, uncertain)
}

/// Runs [`Exact`]. Not inlined, so that [`approximate`] need not keep anything in memory for it.
#[inline(never)]
pub(crate) fn recompute<const PLANES: usize>(
    near: &[u64; BLOCK],
    far: &[u64; BLOCK],
    y: &[f64; BLOCK],
    x: &[f64; BLOCK],
) -> [u32; BLOCK] {
    dispatch(Exact::<PLANES> { near, far, y, x })
}

/// Blends of a block in `f64` in SciPy's order, rounded.
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
        let (words, mut blended) = (words::<PLANES>(self.near, self.far), [0_u32; BLOCK]);
        for plane in 0..PLANES {
            for i in 0..BLOCK {
                let (a, b) = (f64::from(byte(words[0][i], plane)), f64::from(byte(words[1][i], plane)));
                let (c, d) = (f64::from(byte(words[2][i], plane)), f64::from(byte(words[3][i], plane)));
                let rounded = u8::from_f64_rounded(blend([a, b, c, d], self.y[i], self.x[i]));
                blended[i] |= u32::from(rounded) << (8 * plane);
            }
        }
        blended
    }
}
