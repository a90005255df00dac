//! Bytes packed into bits with AVX-512.

use crate::array::packing::{WORD, low_bits};
use crate::exec::simd::{Level, level};
use std::arch::x86_64::*;

/// Pack elements of one byte into bits; return whether it was done.
#[inline(always)]
pub(super) fn pack<T: Copy>(line: &[T], words: &mut [u64]) -> bool {
    let is_done = size_of::<T>() == 1 && level() == Level::Avx512;
    if is_done {
        // SAFETY: each element is a byte. The level says that the processor has the instructions.
        unsafe { pack_bytes(std::slice::from_raw_parts(line.as_ptr().cast(), line.len()), words) };
    }
    is_done
}

#[target_feature(enable = "avx512f,avx512bw")]
fn pack_bytes(line: &[u8], words: &mut [u64]) {
    for (bytes, word) in line.chunks(WORD).zip(words) {
        // SAFETY: the mask has no byte that is not there.
        unsafe {
            let bytes = _mm512_maskz_loadu_epi8(mask_of(bytes.len()), bytes.as_ptr().cast());
            *word = _mm512_test_epi8_mask(bytes, bytes);
        }
    }
}

/// The bits of those of 64 elements that are there.
#[inline(always)]
pub(super) fn mask_of(count: usize) -> u64 {
    if count < WORD { low_bits(count) } else { u64::MAX }
}
