//! Colour at full resolution, by libjpeg's "fancy" upsampling: each sample is 3/4 the nearest one and 1/4 the next.
//!
//! At the edges of the image the nearest sample stands for the next. Rounding alternates between pixels.

/// Twice as many samples along a row.
///
/// `padded` has one more sample at each end than `out` has pairs.
#[inline(always)]
pub(super) fn double_row(padded: &[u16], out: &mut [u8]) {
    for (pair, near) in out.as_chunks_mut::<2>().0.iter_mut().zip(padded.windows(3)) {
        *pair = [((3 * near[1] + near[0] + 1) >> 2) as u8, ((3 * near[1] + near[2] + 2) >> 2) as u8];
    }
}

/// As [`double_row`], of sums made by [`sum_rows`].
#[inline(always)]
pub(super) fn double_summed_row(padded: &[u16], out: &mut [u8]) {
    for (pair, near) in out.as_chunks_mut::<2>().0.iter_mut().zip(padded.windows(3)) {
        *pair = [((3 * near[1] + near[0] + 8) >> 4) as u8, ((3 * near[1] + near[2] + 7) >> 4) as u8];
    }
}

/// The samples of a row, between their copies at both ends.
#[inline(always)]
pub(super) fn pad_row(row: &[u8], padded: &mut [u16]) {
    for (padded, &sample) in padded[1..].iter_mut().zip(row) {
        *padded = u16::from(sample);
    }
    repeat_ends(padded, row.len());
}

/// Three times a row and once the next one, between copies of both ends.
#[inline(always)]
pub(super) fn sum_rows(near: &[u8], far: &[u8], padded: &mut [u16]) {
    for ((sum, &near), &far) in padded[1..].iter_mut().zip(near).zip(far) {
        *sum = 3 * u16::from(near) + u16::from(far);
    }
    repeat_ends(padded, near.len());
}

#[inline(always)]
fn repeat_ends(padded: &mut [u16], len: usize) {
    padded[0] = padded[1];
    padded[len + 1] = padded[len];
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// h2v2_fancy_upsample of jdsample.c, with its cases at the ends.
    fn h2v2_by_definition(near: &[u8], far: &[u8]) -> Vec<u8> {
        let sums: Vec<u32> = near.iter().zip(far).map(|(&n, &f)| 3 * u32::from(n) + u32::from(f)).collect();
        let last = sums.len() - 1;
        let mut out = Vec::new();
        for (i, sum) in sums.iter().enumerate() {
            out.push(if i == 0 { (sum * 4 + 8) >> 4 } else { (sum * 3 + sums[i - 1] + 8) >> 4 });
            out.push(if i == last { (sum * 4 + 7) >> 4 } else { (sum * 3 + sums[i + 1] + 7) >> 4 });
        }
        out.into_iter().map(|sample| sample as u8).collect()
    }

    /// h2v1_fancy_upsample of jdsample.c.
    fn h2v1_by_definition(row: &[u8]) -> Vec<u8> {
        let row: Vec<u32> = row.iter().map(|&sample| sample.into()).collect();
        let last = row.len() - 1;
        let mut out = Vec::new();
        for (i, &sample) in row.iter().enumerate() {
            out.push(if i == 0 { sample } else { (sample * 3 + row[i - 1] + 1) >> 2 });
            out.push(if i == last { sample } else { (sample * 3 + row[i + 1] + 2) >> 2 });
        }
        out.into_iter().map(|sample| sample as u8).collect()
    }

    proptest! {
        #[test]
        fn are_the_definitions(rows in proptest::collection::vec(any::<(u8, u8)>(), 1..70)) {
            let (near, far): (Vec<u8>, Vec<u8>) = rows.into_iter().unzip();
            let (mut padded, mut out) = (vec![9; near.len() + 2], vec![9; 2 * near.len()]);
            sum_rows(&near, &far, &mut padded);
            double_summed_row(&padded, &mut out);
            prop_assert_eq!(&out, &h2v2_by_definition(&near, &far));
            pad_row(&near, &mut padded);
            double_row(&padded, &mut out);
            prop_assert_eq!(&out, &h2v1_by_definition(&near));
        }
    }
}
