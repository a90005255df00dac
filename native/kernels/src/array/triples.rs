//! Pixels of three bytes: five of them fill 15 of the 16 bytes of a register, and one instruction puts these into any
//! order, or makes one number of each.

use crate::exec::simd::{Level, level};

/// Bytes of a pixel.
const PLANES: usize = 3;

/// Pixels that are moved together.
const PIXELS: usize = 5;

/// Where each byte of a register of pixels comes from, of five and of [`MANY`].
struct Order {
    five: [u8; 16],
    many: [u8; 64],
}

/// Pixels that fit the 64 bytes of a register.
const MANY: usize = 21;

impl Order {
    /// Channels in another order, or pixels in the opposite one.
    const fn new(channels: [u8; PLANES], is_reversed: bool) -> Self {
        let mut order = Self { five: [0; 16], many: [0; 64] };
        let mut byte = 0;
        while byte < PLANES * MANY {
            let (pixel, channel) = (byte / PLANES, channels[byte % PLANES] as usize);
            let many = if is_reversed { MANY - 1 - pixel } else { pixel };
            order.many[byte] = (PLANES * many + channel) as u8;
            if pixel < PIXELS {
                let five = if is_reversed { PIXELS - 1 - pixel } else { pixel };
                order.five[byte] = (PLANES * five + channel) as u8;
            }
            byte += 1;
        }
        order
    }
}

/// `to[p][c] = from[p][order[c]]` for the pixels p and channels c of two slices of one length.
pub fn reorder(from: &[u8], to: &mut [u8], order: [u8; PLANES]) {
    let order = Order::new(order.map(|channel| channel % 3), false);
    move_each(from, to, &order, |pixel, _, _| pixel);
}

/// `to[p] = from[last - p]`: pixels in the opposite order.
pub fn reverse(from: &[u8], to: &mut [u8]) {
    const OPPOSITE: Order = Order::new([0, 1, 2], true);
    move_each(from, to, &OPPOSITE, |pixel, pixels, count| pixels - pixel - count);
}

/// Pixels whose channels are taken apart together: those of three registers.
pub(crate) const SPLIT: usize = 64;

/// A channel of so many pixels.
type BytePlane = [u8; SPLIT];

/// For each of three results, which byte of two registers each of its bytes is, and then, of that and a third register.
type TwoSteps = [[BytePlane; 2]; PLANES];

/// The channels of pixels from three registers of them.
const APART: TwoSteps = two_steps(true);

/// Three registers of pixels from their channels.
const TOGETHER: TwoSteps = two_steps(false);

const fn two_steps(is_apart: bool) -> TwoSteps {
    let mut steps = [[[0; SPLIT]; 2]; PLANES];
    let mut number = 0;
    while number < PLANES * SPLIT {
        let (result, place) = (number / SPLIT, number % SPLIT);
        // The register that the byte comes from, and its place there.
        let (source, at) = if is_apart {
            let byte = PLANES * place + result;
            (byte / SPLIT, byte % SPLIT)
        } else {
            (number % PLANES, number / PLANES)
        };
        steps[result][0][place] = if source == 1 { (SPLIT + at) as u8 } else { at as u8 };
        steps[result][1][place] = if source == 2 { (SPLIT + at) as u8 } else { place as u8 };
        number += 1;
    }
    steps
}

/// The channels of 64 pixels, each by itself.
#[inline(always)]
pub(crate) fn split(from: &[u8; PLANES * SPLIT]) -> [BytePlane; PLANES] {
    let mut planes = [[0; SPLIT]; PLANES];
    #[cfg(target_arch = "x86_64")]
    if has_many() {
        let (parts, _) = from.as_chunks();
        // SAFETY: the processor has the instructions.
        unsafe { permute_three([&parts[0], &parts[1], &parts[2]], &APART, &mut planes) };
        return planes;
    }
    for pixel in 0..SPLIT {
        for (channel, plane) in planes.iter_mut().enumerate() {
            plane[pixel] = from[PLANES * pixel + channel];
        }
    }
    planes
}

/// 64 pixels of these channels.
#[inline(always)]
pub(crate) fn join(planes: &[BytePlane; PLANES], to: &mut [u8; PLANES * SPLIT]) {
    #[cfg(target_arch = "x86_64")]
    if has_many() {
        let mut made = [[0; SPLIT]; PLANES];
        // SAFETY: the processor has the instructions.
        unsafe { permute_three([&planes[0], &planes[1], &planes[2]], &TOGETHER, &mut made) };
        to.copy_from_slice(made.as_flattened());
        return;
    }
    for pixel in 0..SPLIT {
        for (channel, plane) in planes.iter().enumerate() {
            to[PLANES * pixel + channel] = plane[pixel];
        }
    }
}

/// [`split`] of several blocks of pixels: the processor is asked once.
#[inline(always)]
pub(crate) fn split_each(from: &[[u8; PLANES * SPLIT]], to: &mut [[BytePlane; PLANES]]) {
    #[cfg(target_arch = "x86_64")]
    if has_many() {
        // SAFETY: the processor has the instructions.
        unsafe { permute_each(from, to, &APART) };
        return;
    }
    for (from, to) in from.iter().zip(to) {
        *to = split(from);
    }
}

/// [`join`] of several blocks of pixels.
#[inline(always)]
pub(crate) fn join_each(planes: &[[BytePlane; PLANES]], to: &mut [[u8; PLANES * SPLIT]]) {
    #[cfg(target_arch = "x86_64")]
    if has_many() {
        let (from, _) = planes.as_flattened().as_flattened().as_chunks();
        let (parts, _) = to.as_flattened_mut().as_chunks_mut();
        // SAFETY: the processor has the instructions.
        unsafe { permute_each(from, parts.as_chunks_mut().0, &TOGETHER) };
        return;
    }
    for (planes, to) in planes.iter().zip(to) {
        join(planes, to);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn permute_each(from: &[[u8; PLANES * SPLIT]], to: &mut [[BytePlane; PLANES]], steps: &TwoSteps) {
    for (from, to) in from.iter().zip(to) {
        let (parts, _) = from.as_chunks();
        permute_three([&parts[0], &parts[1], &parts[2]], steps, to);
    }
}

/// Whether any byte of two registers can be moved anywhere by one instruction.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn has_many() -> bool {
    level() == Level::Avx512 && is_x86_feature_detected!("avx512vbmi")
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn permute_three(from: [&BytePlane; PLANES], steps: &TwoSteps, to: &mut [BytePlane; PLANES]) {
    use std::arch::x86_64::*;
    // A function, and no closure given to `map`, which has not these instructions and may call it.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(bytes: &BytePlane) -> __m512i {
        // SAFETY: 64 bytes, without alignment.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }
    let [a, b, c] = [load(from[0]), load(from[1]), load(from[2])];
    for ([first, second], to) in steps.iter().zip(to) {
        let of_two = _mm512_permutex2var_epi8(a, load(first), b);
        let made = _mm512_permutex2var_epi8(of_two, load(second), c);
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), made) };
    }
}

/// Put pixels, the first of them number p, from those that begin at `start(p, number of all, how many)` into an order.
#[inline(always)]
fn move_each(from: &[u8], to: &mut [u8], order: &Order, start: impl Fn(usize, usize, usize) -> usize) {
    assert_eq!(from.len(), to.len(), "both hold the same pixels");
    let pixels = from.len() / PLANES;
    let mut done = 0..pixels;
    #[cfg(target_arch = "x86_64")]
    if level() >= Level::Avx2 {
        done = if has_many() {
            // SAFETY: the processor has the instructions.
            unsafe { move_many(from, to, order, &start) }
        } else {
            // SAFETY: processors with AVX2 have SSSE3.
            unsafe { move_fives(from, to, order, &start) }
        };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (level(), Level::Avx2);
    one_by_one(from, to, done, order, start);
}

/// Move as many pixels as there are registers of five; returns those that are left.
///
/// A load and a store are a byte longer than five pixels, so that the last ones are left, and the first ones of the
/// opposite order, which lie at the end, are moved one by one.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "ssse3")]
fn move_fives(
    from: &[u8],
    to: &mut [u8],
    order: &Order,
    start: impl Fn(usize, usize, usize) -> usize,
) -> std::ops::Range<usize> {
    use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_shuffle_epi8, _mm_storeu_si128};
    let pixels = from.len() / PLANES;
    // SAFETY: 16 bytes, without alignment.
    let places = unsafe { _mm_loadu_si128(order.five.as_ptr().cast::<__m128i>()) };
    let mut done = 0;
    while done + PIXELS < pixels {
        let source = PLANES * start(done, pixels, PIXELS);
        if source + 16 > from.len() {
            one_by_one(from, to, done..done + PIXELS, order, &start);
        } else {
            // SAFETY: 16 bytes from `source` on lie in `from`; in `to` there is a pixel after these five.
            unsafe {
                let bytes = _mm_loadu_si128(from.as_ptr().add(source).cast::<__m128i>());
                let target = to.as_mut_ptr().add(PLANES * done).cast::<__m128i>();
                _mm_storeu_si128(target, _mm_shuffle_epi8(bytes, places));
            }
        }
        done += PIXELS;
    }
    done..pixels
}

/// The same without wide registers; the last pixels need not be five.
#[inline(always)]
fn one_by_one(
    from: &[u8],
    to: &mut [u8],
    pixels: std::ops::Range<usize>,
    order: &Order,
    start: impl Fn(usize, usize, usize) -> usize,
) {
    let all = from.len() / PLANES;
    for pixel in pixels {
        let source = start(pixel, all, 1);
        for channel in 0..PLANES {
            to[PLANES * pixel + channel] = from[PLANES * source + usize::from(order.five[channel]) % PLANES];
        }
    }
}

/// Weights of red, green and blue that sum to 2^16, as Pillow's `convert("L")` has them.
pub const LUMA: [u32; 3] = [19595, 38470, 7471];

/// Write the luma of each pixel once, or three times if `to` is as long as `from`; returns how many pixels are done.
///
/// Four pixels at a time, where the processor can. Green's weight does not fit a signed number of 16 bits: half of it
/// goes with red, half with blue.
pub fn grey(from: &[u8], to: &mut [u8]) -> usize {
    #[cfg(target_arch = "x86_64")]
    if level() >= Level::Avx2 {
        // SAFETY: processors with AVX2 have SSE4.1.
        return unsafe { grey_fours(from, to) };
    }
    let _ = (from, to, level(), Level::Avx2);
    0
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.1")]
fn grey_fours(from: &[u8], to: &mut [u8]) -> usize {
    use std::arch::x86_64::*;
    const FOUR: usize = 4 * PLANES;
    let half = (LUMA[1] / 2) as i16;
    let weights = [
        _mm_set1_epi32(i32::from(half) << 16 | LUMA[0] as i32),
        _mm_set1_epi32((LUMA[2] as i32) << 16 | i32::from(half)),
    ];
    let rounding = _mm_set1_epi32(1 << 15);
    // Red and green, green and blue, each a number of 16 bits.
    let pairs = [
        _mm_setr_epi8(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1),
        _mm_setr_epi8(1, -1, 2, -1, 4, -1, 5, -1, 7, -1, 8, -1, 10, -1, 11, -1),
    ];
    let width = if to.len() == from.len() { PLANES } else { 1 };
    let place = if width == 1 {
        _mm_setr_epi8(2, 6, 10, 14, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1)
    } else {
        _mm_setr_epi8(2, 2, 2, 6, 6, 6, 10, 10, 10, 14, 14, 14, -1, -1, -1, -1)
    };
    // A load and a store have 16 bytes.
    let mut done = 0;
    while PLANES * done + 16 <= from.len() && width * done + 16 <= to.len() {
        // SAFETY: 16 bytes lie there, as the loop asks; loads and stores need no alignment.
        unsafe {
            let pixels = _mm_loadu_si128(from.as_ptr().add(PLANES * done).cast());
            let sums = _mm_add_epi32(
                _mm_madd_epi16(_mm_shuffle_epi8(pixels, pairs[0]), weights[0]),
                _mm_madd_epi16(_mm_shuffle_epi8(pixels, pairs[1]), weights[1]),
            );
            // The third byte of a sum is what is left after a shift by 16.
            let found = _mm_shuffle_epi8(_mm_add_epi32(sums, rounding), place);
            _mm_storeu_si128(to.as_mut_ptr().add(width * done).cast(), found);
        }
        done += FOUR / PLANES;
    }
    done
}

/// As [`move_fives`], 21 pixels at a time, with AVX-512 and VBMI.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn move_many(
    from: &[u8],
    to: &mut [u8],
    order: &Order,
    start: impl Fn(usize, usize, usize) -> usize,
) -> std::ops::Range<usize> {
    use std::arch::x86_64::*;
    let pixels = from.len() / PLANES;
    // SAFETY: 64 bytes, without alignment.
    let places = unsafe { _mm512_loadu_si512(order.many.as_ptr().cast()) };
    let is_reversed = usize::from(order.many[0]) >= PLANES;
    let mut done = 0;
    while done < pixels {
        let count = MANY.min(pixels - done);
        // The last pixels are fewer: the opposite order reads them from the first byte on.
        let less = if is_reversed { MANY - count } else { 0 };
        let source = PLANES * start(done, pixels, count);
        let places = _mm512_sub_epi8(places, _mm512_set1_epi8((PLANES * less) as i8));
        let read = u64::MAX >> (64 - PLANES * count);
        // SAFETY: only the bytes of `count` pixels are read and written.
        unsafe {
            let bytes = _mm512_maskz_loadu_epi8(read, from.as_ptr().add(source).cast());
            let target = to.as_mut_ptr().add(PLANES * done).cast();
            _mm512_mask_storeu_epi8(target, read, _mm512_permutexvar_epi8(places, bytes));
        }
        done += count;
    }
    done..pixels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::simd::testing::at_every_level;

    #[test]
    fn pixels_are_moved_whole() {
        at_every_level(1, || -> Result<(), ()> {
            for pixels in 0..90 {
                let bytes: Vec<u8> = (0..3 * pixels).map(|byte| (byte * byte) as u8).collect();
                for width in [1, 3] {
                    let mut found = vec![0; width * pixels];
                    let done = grey(&bytes, &mut found);
                    for (found, pixel) in found.chunks(width).zip(bytes.chunks(3)).take(done) {
                        let sum: u32 =
                            pixel.iter().zip(LUMA).map(|(value, weight)| u32::from(*value) * weight).sum();
                        assert_eq!(found, vec![((sum + 32768) >> 16) as u8; width]);
                    }
                }
                let from: Vec<u8> = (0..3 * pixels).map(|byte| byte as u8).collect();
                let mut to = vec![0; from.len()];
                reverse(&from, &mut to);
                let wanted: Vec<u8> = from.chunks(3).rev().flatten().copied().collect();
                assert_eq!(to, wanted);
                for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 0, 1]] {
                    reorder(&from, &mut to, order);
                    let wanted: Vec<u8> =
                        from.chunks(3).flat_map(|pixel| order.map(|c| pixel[usize::from(c)])).collect();
                    assert_eq!(to, wanted);
                }
            }
            Ok(())
        })
        .unwrap();
    }
}
