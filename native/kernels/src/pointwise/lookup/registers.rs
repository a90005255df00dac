//! Tables of bytes for bytes in registers: AVX-512 with VBMI looks 64 of them up at once.
//!
//! A table of 256 bytes fills four registers. One instruction looks up in two of them by the low seven bits of each
//! value; the highest bit chooses between the lower and the upper half. Of three channels side by side a register is
//! looked up in all three tables, and each byte taken from its own.

use std::arch::x86_64::*;

/// Bytes of a register.
const LANES: usize = 64;

/// A table, and one for each channel.
pub(super) type ByteTable = [u8; 256];

/// Whether the processor has these instructions.
pub(super) fn is_supported() -> bool {
    is_x86_feature_detected!("avx512vbmi")
}

/// The lanes of channel 0 of three, in a register that begins with it.
const FIRST_OF_THREE: u64 = 0x9249_2492_4924_9249;

/// The lanes of a channel in the register of this number.
const fn lanes_of(channel: usize, register: usize) -> u64 {
    // The register's first byte is of channel `register % 3`.
    let first = (3 + channel - register % 3) % 3;
    FIRST_OF_THREE << first
}

struct Halves {
    lower: [__m512i; 2],
    upper: [__m512i; 2],
}

impl Halves {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn new(table: &ByteTable) -> Self {
        // SAFETY: each load lies in the table's 256 bytes, and needs no alignment.
        let part = |place: usize| unsafe { _mm512_loadu_si512(table.as_ptr().add(LANES * place).cast()) };
        Self { lower: [part(0), part(1)], upper: [part(2), part(3)] }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn of(&self, values: __m512i) -> __m512i {
        let lower = _mm512_permutex2var_epi8(self.lower[0], values, self.lower[1]);
        let upper = _mm512_permutex2var_epi8(self.upper[0], values, self.upper[1]);
        _mm512_mask_blend_epi8(_mm512_movepi8_mask(values), lower, upper)
    }
}

/// Look up whole registers; returns how many values are done. `CHANNELS` is 1 or 3.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
pub(super) fn lookup<const CHANNELS: usize>(
    output: &mut [u8],
    input: &[u8],
    tables: &[ByteTable; CHANNELS],
) -> usize {
    let tables: [Halves; CHANNELS] = std::array::from_fn(|channel| Halves::new(&tables[channel]));
    let (outputs, _) = output.as_chunks_mut::<LANES>();
    let (inputs, _) = input.as_chunks::<LANES>();
    let mut done = 0;
    for (output, input) in outputs.chunks_mut(CHANNELS).zip(inputs.chunks(CHANNELS)) {
        for (register, (output, input)) in output.iter_mut().zip(input).enumerate() {
            // SAFETY: 64 bytes, without alignment.
            let values = unsafe { _mm512_loadu_si512(input.as_ptr().cast()) };
            let mut found = tables[0].of(values);
            for (channel, table) in tables.iter().enumerate().skip(1) {
                found = _mm512_mask_blend_epi8(lanes_of(channel, register), found, table.of(values));
            }
            // SAFETY: as above.
            unsafe { _mm512_storeu_si512(output.as_mut_ptr().cast(), found) };
            done += LANES;
        }
    }
    done
}
