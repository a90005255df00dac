use super::repair::list_bits;
use super::tables::Errors;
use super::*;
use crate::array::sample::Sample;
use crate::array::view::{View, ViewMut};
use crate::exec::simd::testing::at_every_level;
use crate::interpolate::resize::resize;
use ndarray::{ArrayD, Dimension};
use proptest::prelude::*;

/// A table of weights of sum 1 that differ by `lobe` in sign.
fn table(from: usize, to: usize, taps: usize, lobe: f64) -> Taps {
    let mut table = Taps::new();
    for position in 0..to {
        let len = taps.min(from);
        let start = position * (from - len) / (to - 1).max(1);
        let plain = (0..len).map(|tap| 1.0 + ((position * 5 + tap * 3) % 7) as f64 - lobe * (tap % 2) as f64);
        let plain = plain.collect::<Vec<_>>();
        let sum: f64 = plain.iter().sum();
        table.push(start, &plain.iter().map(|weight| weight / sum).collect::<Vec<_>>());
    }
    table
}

/// The definition: rows first, then columns, each from the first tap on.
fn definition(image: &ArrayD<u8>, down: &Taps, across: &Taps) -> ArrayD<u8> {
    let shape = [down.len(), across.len(), image.shape()[2]];
    ArrayD::from_shape_fn(shape.to_vec(), |at| {
        let at = at.as_array_view();
        let ((top, rows), (left, columns)) = (down.at(at[0]), across.at(at[1]));
        let column = |x: usize| {
            let pixel = |(y, weight): (usize, &f64)| f64::from(image[[top + y, left + x, at[2]]]) * weight;
            rows.iter().enumerate().map(pixel).fold(0.0, |sum, term| sum + term)
        };
        let terms = columns.iter().enumerate().map(|(x, weight)| column(x) * weight);
        u8::from_f64_rounded(terms.fold(0.0, |sum, term| sum + term))
    })
}

proptest! {
    #[test]
    fn bytes_are_those_of_the_definition(
        (height, width) in (1_usize..20, 1_usize..60),
        (rows, columns) in (1_usize..12, 1_usize..60),
        (down, across) in (1_usize..9, 1_usize..14),
        lobe in prop::sample::select(vec![0.0, 2.0]),
        planes in 1_usize..6,
        seed in 0_usize..1000,
    ) {
        let (down, across) = (table(height, rows, down, 0.0), table(width, columns, across, lobe));
        let image = ArrayD::from_shape_fn(vec![height, width, planes], |at| {
            let at = at.as_array_view();
            // Dark and light for some seeds, to meet both ends of the range.
            let value = (at[0] * 31 + at[1] * 17 + at[2] * 5 + seed) * (seed + 1) % 256;
            (if seed % 3 == 0 { value / 128 * 255 } else { value }) as u8
        });
        let expected = definition(&image, &down, &across);
        let tables = [down, across];
        at_every_level(1, || {
            let mut output = ArrayD::<u8>::zeros(expected.raw_dim());
            resize(&View::U8(image.view()), ViewMut::U8(output.view_mut()), 0, &tables).unwrap();
            prop_assert_eq!(&output, &expected);
            Ok(())
        })?;
    }
}

#[test]
fn exact_tables_have_no_error() {
    // Halving: every weight is an eighth or three.
    let mut halves = Taps::new();
    (0..20).for_each(|position| halves.push(2 * position, &[0.125, 0.375, 0.375, 0.125]));
    for is_wide in [false, true] {
        let columns = Columns::new(&halves, 3, is_wide).unwrap();
        let rows = Rows::new(&halves, false).unwrap();
        let errors = Errors::new(&rows, &columns).unwrap();
        let results = errors.results.iter().flat_map(|line| line.0);
        assert!(errors.rows.iter().copied().chain(results).all(|error| error == 0));
    }
}

#[test]
fn tables_without_a_bound_are_left_to_sums_in_f64() {
    let one = |weights: &[f64]| {
        let mut taps = Taps::new();
        taps.push(0, weights);
        taps
    };
    for weights in [&[][..], &[0.5], &[2.0, -1.0], &[f64::NAN]] {
        assert!(Columns::new(&one(weights), 3, false).is_none());
        assert!(Rows::new(&one(weights), true).is_none());
    }
    assert!(Columns::new(&Taps::new(), 3, false).is_none());
}

#[test]
fn errors_are_above_their_bounds() {
    let (down, across) = (table(40, 17, 4, 0.0), table(90, 41, 5, 0.0));
    let (rows, columns) = (Rows::new(&down, false).unwrap(), Columns::new(&across, 3, true).unwrap());
    let errors = Errors::new(&rows, &columns).unwrap();
    let results = errors.results.iter().flat_map(|line| line.0).collect::<Vec<_>>();
    // Half a unit of rounding, 2^-9 grey levels, is in each; after the last result there is no error.
    assert!(results[..123].iter().all(|error| (130..2000).contains(error)));
    assert!(results[123..].iter().all(|error| *error == 0));
    // Those of a pixel are the same.
    assert!(results[..123].chunks(3).all(|pixel| pixel.iter().all(|error| *error == pixel[0])));
}

#[test]
fn rows_are_summed_in_pairs() {
    let mut taps = Taps::new();
    taps.push(0, &[0.25, 0.75]);
    taps.push(1, &[0.25, 0.75]);
    taps.push(3, &[1.0]);
    let rows = Rows::new(&taps, false).unwrap();
    let weights = |position| {
        let slots = rows.slots(position).iter();
        slots.map(|slot| (slot.pair, slot.weights as i16, (slot.weights >> 16) as i16)).collect::<Vec<_>>()
    };
    // A weight above 32767 is in two parts.
    assert_eq!(rows.bits, 15);
    assert_eq!(weights(0), [(0, 8192, 24576)]);
    assert_eq!(weights(1), [(0, 0, 8192), (1, 24576, 0)]);
    assert_eq!(weights(2), [(1, 0, 16384), (1, 0, 16384)]);
    assert_eq!(rows.longest, 2);
}

#[test]
fn bits_are_listed() {
    let mut list = [0; 70];
    assert_eq!(list_bits(0, 64, &mut list), 0);
    assert_eq!(list_bits(1 << 63, 64, &mut list), 1);
    assert_eq!(list[0], 127);
    assert_eq!(list_bits(0b1011, 64, &mut list), 3);
    assert_eq!(list[..3], [64, 65, 67]);
    assert_eq!(list_bits(u64::MAX, 64, &mut list), 64);
    assert_eq!((list[0], list[63]), (64, 127));
}
