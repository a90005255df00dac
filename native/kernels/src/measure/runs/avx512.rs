//! Runs of labels with AVX-512, sixteen at a time and without a branch that depends on them, for lines of few labels too.
//!
//! ```text
//! for each 16 labels: compare them with those one place before; move the places and labels that differ to the front,
//!     write them, and go on as many places further
//! ```

use crate::array::sample::Sample;
use crate::measure::run_buffer::{RunBuffer, SHORT_RUN};
use std::arch::x86_64::*;

/// Labels that are compared at once.
pub(in crate::measure) const GROUP: usize = 16;

/// Places that are written at once: most groups have no more.
const FEW: usize = 4;

/// Integers that are read as labels.
pub(in crate::measure) trait Sixteen: Sample {
    /// Those of sixteen labels that the mask has, as [`Numbering`](crate::measure::run_buffer::Numbering) says: less one if `OBJECT`.
    ///
    /// # Safety
    ///
    /// They lie there, and the processor has AVX-512 F, BW and VL.
    unsafe fn sixteen<const OBJECT: bool>(labels: *const Self, mask: u16) -> __m512i;
}

/// Signed numbers as labels.
#[inline(always)]
unsafe fn signed<const OBJECT: bool>(labels: __m512i) -> __m512i {
    // SAFETY: the caller's.
    unsafe {
        let numbers = _mm512_sub_epi32(labels, _mm512_set1_epi32(i32::from(OBJECT)));
        // All bits where the label, or the number, is negative.
        let signs = _mm512_srai_epi32::<31>(_mm512_or_si512(labels, numbers));
        _mm512_or_si512(numbers, signs)
    }
}

/// Eight numbers of 64 bits as labels.
#[inline(always)]
unsafe fn half<const OBJECT: bool>(labels: *const i64, mask: u8) -> __m256i {
    // SAFETY: the caller's.
    unsafe {
        let labels = _mm512_maskz_loadu_epi64(mask, labels);
        _mm512_cvtusepi64_epi32(_mm512_sub_epi64(labels, _mm512_set1_epi64(i64::from(OBJECT))))
    }
}

/// Numbers of 64 bits as labels.
#[inline(always)]
unsafe fn wide<const OBJECT: bool>(labels: *const i64, mask: u16) -> __m512i {
    const HALF: usize = GROUP / 2;
    // SAFETY: the caller's.
    unsafe {
        let lower = half::<OBJECT>(labels, mask as u8);
        let upper = half::<OBJECT>(labels.wrapping_add(HALF), (mask >> HALF) as u8);
        _mm512_inserti64x4::<1>(_mm512_castsi256_si512(lower), upper)
    }
}

macro_rules! sixteen {
    ($($type:ty: $labels:ident, $mask:ident => $read:expr;)*) => {
        $(
            impl Sixteen for $type {
                #[inline(always)]
                unsafe fn sixteen<const OBJECT: bool>($labels: *const Self, $mask: u16) -> __m512i {
                    // SAFETY: the caller's.
                    unsafe { $read }
                }
            }
        )*
    };
}

sixteen! {
    u8: labels, mask => signed::<OBJECT>(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, labels.cast())));
    i8: labels, mask => signed::<OBJECT>(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8(mask, labels)));
    u16: labels, mask => signed::<OBJECT>(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, labels.cast())));
    i16: labels, mask => signed::<OBJECT>(_mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, labels)));
    i32: labels, mask => signed::<OBJECT>(_mm512_maskz_loadu_epi32(mask, labels));
    u32: labels, mask => {
        let labels = _mm512_maskz_loadu_epi32(mask, labels.cast());
        _mm512_sub_epi32(labels, _mm512_set1_epi32(i32::from(OBJECT)))
    };
    i64: labels, mask => wide::<OBJECT>(labels, mask);
    u64: labels, mask => wide::<OBJECT>(labels.cast(), mask);
}

/// The bits of those of sixteen labels that are there.
#[inline(always)]
pub(in crate::measure) fn mask_of(count: usize) -> u16 {
    if count < GROUP { (1 << count) - 1 } else { u16::MAX }
}

/// Find the runs of at most [`BLOCK`](crate::measure::run_buffer::BLOCK) labels.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
pub(in crate::measure) fn find<T: Sixteen, const OBJECT: bool>(labels: &[T], buffer: &mut RunBuffer) {
    assert!(labels.len() <= buffer.each.len());
    let mut runs = 0;
    let mut places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    let mut before = _mm512_setzero_si512();
    let mut largest = _mm512_setzero_si512();
    for at in (0..labels.len()).step_by(GROUP) {
        let mask = mask_of(labels.len() - at);
        // SAFETY: the mask has no label that is not there. There is room for a group after as many runs as labels before it.
        unsafe {
            let own = T::sixteen::<OBJECT>(labels.as_ptr().add(at), mask);
            let mut changed = _mm512_mask_cmpneq_epi32_mask(
                mask,
                own,
                _mm512_alignr_epi32::<{ GROUP as i32 - 1 }>(own, before),
            );
            changed |= u16::from(at == 0);
            let (starts, found) =
                (_mm512_maskz_compress_epi32(changed, places), _mm512_maskz_compress_epi32(changed, own));
            let (to_starts, to_labels) =
                (buffer.ends.as_mut_ptr().add(runs), buffer.labels.as_mut_ptr().add(runs));
            let count = changed.count_ones() as usize;
            if count <= FEW {
                _mm_storeu_si128(to_starts.cast(), _mm512_castsi512_si128(starts));
                _mm_storeu_si128(to_labels.cast(), _mm512_castsi512_si128(found));
            } else {
                _mm512_storeu_si512(to_starts.cast(), starts);
                _mm512_storeu_si512(to_labels.cast(), found);
            }
            runs += count;
            before = own;
            largest = _mm512_mask_max_epu32(largest, mask, largest, own);
            places = _mm512_add_epi32(places, _mm512_set1_epi32(GROUP as i32));
        }
    }
    buffer.ends[runs] = labels.len() as u32;
    (buffer.runs, buffer.largest) = (runs, _mm512_reduce_max_epu32(largest));
    if runs * SHORT_RUN > labels.len() {
        for at in (0..labels.len()).step_by(GROUP) {
            let mask = mask_of(labels.len() - at);
            // SAFETY: what is read and written is there.
            unsafe {
                let own = T::sixteen::<OBJECT>(labels.as_ptr().add(at), mask);
                _mm512_mask_storeu_epi32(buffer.each.as_mut_ptr().add(at).cast(), mask, own);
            }
        }
    }
}
