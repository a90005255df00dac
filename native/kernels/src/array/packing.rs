//! Samples as bits, 64 per word.

use crate::array::sample::Sample;

/// Bits per word.
pub(crate) const WORD: usize = 64;

/// Samples that [`differing`] compares at once.
pub(crate) const GROUP: usize = 16;

/// A word with the lowest `count` bits set, fewer than all.
pub(crate) fn low_bits(count: usize) -> u64 {
    (1 << count) - 1
}

/// One bit per sample: whether it is not equal to `value`.
#[inline(always)]
pub(crate) fn differing<T: Sample>(samples: &[T; GROUP], value: T) -> u16 {
    let mut bytes = [0_u8; GROUP];
    for (byte, sample) in bytes.iter_mut().zip(samples) {
        *byte = if *sample != value { 0xff } else { 0 };
    }
    high_bits(u128::from_le_bytes(bytes))
}

/// The end of the run of samples equal to the one at `start`. A NaN is a run of its own.
#[inline(always)]
pub(crate) fn run_end<T: Sample>(samples: &[T], start: usize) -> usize {
    let value = samples[start];
    let mut at = start + 1;
    while let Some(group) = samples[at..].first_chunk::<GROUP>() {
        let differing = differing(group, value);
        if differing != 0 {
            return at + differing.trailing_zeros() as usize;
        }
        at += GROUP;
    }
    at + samples[at..].iter().take_while(|sample| **sample == value).count()
}

/// Call `work` with the place of each sample that differs from the one before it.
#[inline(always)]
pub(crate) fn for_each_change<T: Sample>(samples: &[T], mut work: impl FnMut(usize)) {
    let mut at = 1;
    while let (Some(before), Some(own)) =
        (samples.get(at - 1..).and_then(<[T]>::first_chunk), samples.get(at..).and_then(<[T]>::first_chunk))
    {
        let mut changes = changes(before, own);
        while changes != 0 {
            work(at + changes.trailing_zeros() as usize);
            changes &= changes - 1;
        }
        at += WORD;
    }
    for at in at..samples.len() {
        if samples[at] != samples[at - 1] {
            work(at);
        }
    }
}

/// One bit per sample: whether it differs from the one before it.
#[inline(always)]
pub(crate) fn changes<T: Sample>(before: &[T; WORD], own: &[T; WORD]) -> u64 {
    let mut bytes = [0_u8; WORD];
    for ((byte, before), own) in bytes.iter_mut().zip(before).zip(own) {
        *byte = if *own != *before { 0xff } else { 0 };
    }
    word_of(&bytes)
}

/// One bit per byte, all ones or all zeros.
#[inline(always)]
fn word_of(bytes: &[u8; WORD]) -> u64 {
    let mut word = 0;
    for (part, bytes) in bytes.as_chunks::<16>().0.iter().enumerate() {
        word |= u64::from(high_bits(u128::from_le_bytes(*bytes))) << (16 * part);
    }
    word
}

/// One bit per sample of `row`: whether it is not zero, exclusive-or `flip`; bits after the last are those of `outside`.
#[inline(always)]
pub(crate) fn pack_row<T: Sample>(row: &[T], words: &mut [u64], flip: u64, outside: u64) {
    let (whole, rest) = row.as_chunks::<WORD>();
    for (word, samples) in words.iter_mut().zip(whole) {
        *word = pack_word(samples) ^ flip;
    }
    if !rest.is_empty() {
        let mut samples = [T::default(); WORD];
        samples[..rest.len()].copy_from_slice(rest);
        let valid = low_bits(rest.len());
        words[whole.len()] = ((pack_word(&samples) ^ flip) & valid) | (outside & !valid);
    }
}

#[inline(always)]
fn pack_word<T: Sample>(samples: &[T; WORD]) -> u64 {
    let mut bytes = [0_u8; WORD];
    for (byte, sample) in bytes.iter_mut().zip(samples) {
        *byte = if *sample != T::default() { 0xff } else { 0 };
    }
    word_of(&bytes)
}

/// The highest bit of each of sixteen bytes: one instruction, which compilers do not find on their own.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn high_bits(bytes: u128) -> u16 {
    use std::arch::x86_64::{_mm_movemask_epi8, _mm_set_epi64x};
    // SAFETY: every x86-64 processor has SSE2, and no memory is accessed.
    unsafe { _mm_movemask_epi8(_mm_set_epi64x((bytes >> 64) as i64, bytes as i64)) as u16 }
}

/// The highest bit of each of sixteen bytes that are all ones or all zeros.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn high_bits(bytes: u128) -> u16 {
    let gather = |bytes: u64| {
        // Each step joins the bits of twice as many bytes; other bits end up above them.
        let ones = bytes & 0x0101_0101_0101_0101;
        let pairs = ones | (ones >> 7);
        let fours = pairs | (pairs >> 14);
        ((fours | (fours >> 28)) & 0xff) as u16
    };
    gather(bytes as u64) | gather((bytes >> 64) as u64) << 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn runs_end_where_samples_change(samples in prop::collection::vec(0_i32..2, 1..90), repeat in 1_usize..40) {
            let samples: Vec<i32> = samples.iter().flat_map(|sample| std::iter::repeat_n(*sample, repeat)).collect();
            let mut changes = Vec::new();
            for_each_change(&samples, |at| changes.push(at));
            let plain: Vec<usize> = (1..samples.len()).filter(|at| samples[*at] != samples[at - 1]).collect();
            prop_assert_eq!(changes, plain);
            let mut start = 0;
            while start < samples.len() {
                let end = run_end(&samples, start);
                let plain = samples[start..].iter().take_while(|sample| **sample == samples[start]).count();
                prop_assert_eq!(end, start + plain);
                start = end;
            }
        }
    }

    #[test]
    fn no_run_has_two_nans() {
        assert_eq!(run_end(&[f32::NAN; 40], 3), 4);
    }
}
