//! Sums of red, green and blue in AVX-512, with products and sums rounded at once.
//!
//! One rounding less than the bound of these sums counts; one instruction each gives the distance from the nearest
//! integer, the larger of two distances, and the integer itself.

use crate::array::level::{ColorPlane, PIXELS};
use std::arch::x86_64::*;

/// Pixels of a register.
const LANES: usize = 16;

/// The largest of three distances without their signs.
const LARGEST_MAGNITUDE: i32 = 0b1011;

/// The values of some pixels from one of them on.
#[inline]
#[target_feature(enable = "avx512f")]
fn load(plane: &[u8; PIXELS], first: usize) -> __m512 {
    let pixels: &[u8; LANES] = plane[first..].first_chunk().expect("a register is full");
    // SAFETY: they are 16 bytes, which need no alignment.
    let bytes = unsafe { _mm_loadu_si128(pixels.as_ptr().cast()) };
    _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes))
}

/// The sums of some pixels, and how far those of each pixel are from integers, at the most.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn sums(
    weights: &[[f32; 3]; 3],
    top: f32,
    planes: &[[u8; PIXELS]; 3],
    made: &mut [[u8; PIXELS]; 3],
    farthest: &mut ColorPlane,
) {
    const { assert!(PIXELS.is_multiple_of(LANES)) };
    let mut wide = [[_mm512_setzero_ps(); 3]; 3];
    for (wide, weight) in wide.as_flattened_mut().iter_mut().zip(weights.as_flattened()) {
        *wide = _mm512_set1_ps(*weight);
    }
    let (black, white) = (_mm512_setzero_si512(), _mm512_set1_epi32(top as i32));
    for first in (0..PIXELS).step_by(LANES) {
        let [red, green, blue] = [load(&planes[0], first), load(&planes[1], first), load(&planes[2], first)];
        let mut most = _mm512_setzero_ps();
        for (made, [a, b, c]) in made.iter_mut().zip(wide) {
            let sum = _mm512_fmadd_ps(blue, c, _mm512_fmadd_ps(green, b, _mm512_mul_ps(red, a)));
            let distance = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEAREST_INT }>(sum);
            most = _mm512_range_ps::<LARGEST_MAGNITUDE>(most, distance);
            let whole = _mm512_min_epi32(_mm512_max_epi32(_mm512_cvtps_epi32(sum), black), white);
            // SAFETY: as above.
            unsafe { _mm_storeu_si128(made.as_mut_ptr().add(first).cast(), _mm512_cvtepi32_epi8(whole)) };
        }
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(farthest.as_mut_ptr().add(first), most) };
    }
}
