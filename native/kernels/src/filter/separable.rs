//! Correlations along several axes in turn, band by band.
//!
//! If the first axis comes before the others, the later passes need only the rows that the first pass produced. So all
//! passes run on a band of rows while it is in a near cache, and nothing goes to memory between them.

use crate::array::view::{View, ViewMut};
use crate::error::Result;
use crate::exec::threads::{self, LocalThreads};
use crate::filter::correlate1d::{AxisPass, correlate_rows};
use crate::memory;
use std::sync::{Mutex, PoisonError};

/// A band of about this many samples fits the second-level cache as input and as output.
const BAND_SAMPLES: usize = 48 * 1024;

/// Shorter rows are not worth the start of every pass.
const ROW_SAMPLES: usize = 64;

/// Correlate along the axes of `passes`, one after another, each on the previous result in the output's type; without
/// an input, start from `output`. Without passes nothing happens.
///
/// # Errors
///
/// Those of [`crate::filter::correlate1d::correlate1d`] for any of the passes.
pub fn correlate_axes(
    input: Option<&View<'_>>,
    mut output: ViewMut<'_>,
    passes: &[AxisPass<'_>],
) -> Result<()> {
    if let (Some(input), [first, later @ ..]) = (input, passes)
        && let Some(rows) = band_rows(input.shape(), first, later)
    {
        return over_bands(input, output, first, later, rows);
    }
    let mut input = input;
    for pass in passes {
        correlate_rows(input.take(), output.reborrow(), *pass, 0)?;
    }
    Ok(())
}

/// Rows per band; `None` if the passes are faster on the whole array.
fn band_rows(shape: &[usize], first: &AxisPass<'_>, later: &[AxisPass<'_>]) -> Option<usize> {
    let fits = !later.is_empty()
        && first.axis < shape.len()
        && later.iter().all(|pass| first.axis < pass.axis)
        && shape[..first.axis].iter().all(|len| *len == 1);
    let inner: usize = if fits { shape[first.axis + 1..].iter().product() } else { 0 };
    // Rows that the window needs beyond a band are read twice.
    let rows = (BAND_SAMPLES / inner.max(1)).max(first.weights.len().saturating_mul(4) & !7).max(8);
    (inner >= ROW_SAMPLES && rows < shape[first.axis]).then_some(rows)
}

fn over_bands(
    input: &View<'_>,
    output: ViewMut<'_>,
    first: &AxisPass<'_>,
    later: &[AxisPass<'_>],
    rows: usize,
) -> Result<()> {
    let mut bands = Vec::new();
    let (mut start, mut rest) = (0, output);
    while rest.shape()[first.axis] > rows {
        let (band, beyond) = rest.split_at(first.axis, rows);
        memory::push(&mut bands, (start, band));
        (start, rest) = (start + rows, beyond);
    }
    memory::push(&mut bands, (start, rest));
    let failed = Mutex::new(Ok(()));
    threads::for_each_block(bands, |(start, mut band)| {
        // Threads share bands; inside a band there is one thread.
        let _alone = LocalThreads::new(1);
        let mut done = correlate_rows(Some(input), band.reborrow(), *first, start);
        for pass in later {
            done = done.and_then(|()| correlate_rows(None, band.reborrow(), *pass, 0));
        }
        if done.is_err() {
            *failed.lock().unwrap_or_else(PoisonError::into_inner) = done;
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::border::Border;
    use ndarray::ArrayD;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn bands_give_what_passes_over_the_whole_give(
            height in 1_usize..2500,
            width in 1_usize..40,
            channels in 1_usize..5,
            order in prop::sample::select(vec![vec![0, 1], vec![0, 1, 2], vec![1, 0], vec![0], vec![0, 2, 1]]),
            weights in prop::collection::vec(0.0_f64..0.4, 1..10),
            code in 0..7,
            threads in 1_usize..4,
        ) {
            let mut count = 0_i32;
            let shape = vec![height, width, channels];
            let bytes = ArrayD::from_shape_simple_fn(shape, || { count = (count * 31 + 17) % 1009; count as u8 });
            let floats = bytes.mapv(|byte| f32::from(byte) * 1.1);
            let border = Border::from_code(code).unwrap();
            let pass = |axis| AxisPass { axis, weights: &weights, border, fill: 7.0, origin: 0 };
            let passes: Vec<AxisPass<'_>> = order.into_iter().map(pass).collect();
            let _threads = LocalThreads::new(threads);
            let mut expected = (bytes.clone(), floats.clone());
            for pass in &passes {
                correlate_rows(None, ViewMut::U8(expected.0.view_mut()), *pass, 0).unwrap();
                correlate_rows(None, ViewMut::F32(expected.1.view_mut()), *pass, 0).unwrap();
            }
            let mut output = (bytes.clone(), floats.clone());
            correlate_axes(Some(&View::U8(bytes.view())), ViewMut::U8(output.0.view_mut()), &passes).unwrap();
            correlate_axes(Some(&View::F32(floats.view())), ViewMut::F32(output.1.view_mut()), &passes).unwrap();
            prop_assert_eq!(output, expected);
        }
    }
}
