//! Transposition of 8 × 8 numbers of 16 bits: the only part of the decoder that names vector instructions.

/// The transpose of a block.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn transpose(block: &[i16; 64]) -> [i16; 64] {
    use std::arch::x86_64::*;
    // SAFETY: eight vectors and 64 numbers have the same size, and all bytes are valid in both.
    let rows: [__m128i; 8] = unsafe { std::mem::transmute(*block) };
    // SAFETY: SSE2 is part of every x86-64 processor.
    let columns = unsafe {
        let pairs = |a, b| (_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b));
        let fours = |a, b| (_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
        let eights = |a, b| (_mm_unpacklo_epi64(a, b), _mm_unpackhi_epi64(a, b));
        let ((a0, a1), (b0, b1)) = (pairs(rows[0], rows[1]), pairs(rows[2], rows[3]));
        let ((c0, c1), (d0, d1)) = (pairs(rows[4], rows[5]), pairs(rows[6], rows[7]));
        let ((e0, e1), (e2, e3)) = (fours(a0, b0), fours(a1, b1));
        let ((f0, f1), (f2, f3)) = (fours(c0, d0), fours(c1, d1));
        let ((g0, g1), (g2, g3)) = (eights(e0, f0), eights(e1, f1));
        let ((g4, g5), (g6, g7)) = (eights(e2, f2), eights(e3, f3));
        [g0, g1, g2, g3, g4, g5, g6, g7]
    };
    // SAFETY: as above.
    unsafe { std::mem::transmute(columns) }
}

/// The transpose of a block.
#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
pub(super) fn transpose(block: &[i16; 64]) -> [i16; 64] {
    std::array::from_fn(|i| block[8 * (i % 8) + i / 8])
}

#[cfg(test)]
mod tests {
    #[test]
    fn rows_become_columns() {
        let block: [i16; 64] = std::array::from_fn(|i| i as i16);
        assert_eq!(super::transpose(&block), std::array::from_fn(|i| (8 * (i % 8) + i / 8) as i16));
    }
}
