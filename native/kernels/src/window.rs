//! Windows that slide along an axis: where they lie about the pixel, and what a filter of them is asked for.

use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::walk::line_tiles::{Extension, Walk};

/// How many samples of a window lie before the pixel.
///
/// # Errors
///
/// For a size of 0, or an `origin` that puts the window beside the pixel.
pub(crate) fn before(size: usize, origin: isize) -> Result<usize> {
    (size / 2).checked_add_signed(origin).filter(|before| *before < size).ok_or_else(|| {
        KernelError::parameter(format!("a window of {size} samples cannot have the origin {origin}"))
    })
}

/// The lines along an axis, as a filter is to take them, and what lies beyond their ends.
#[derive(Debug)]
pub struct Lines<'a> {
    /// What is filtered, in C order; `output` itself if it is left out.
    pub input: Option<&'a View<'a>>,
    /// Where the result goes, in C order.
    pub output: ViewMut<'a>,
    /// The axis of the lines.
    pub axis: usize,
    /// Where samples outside the array come from.
    pub border: Border,
    /// The fill value of the constant modes.
    pub fill: f64,
    /// Moves the window, which begins `size / 2 + origin` samples ahead of the pixel.
    pub origin: isize,
}

impl Lines<'_> {
    /// The walk of a filter of `size` samples, of which one costs that many nanoseconds.
    ///
    /// # Errors
    ///
    /// For a size of 0, or an `origin` that puts the window beside the pixel.
    pub(crate) fn walk(&self, size: usize, cost: usize) -> Result<Walk> {
        let before = before(size, self.origin)?;
        let extension = Extension { before, after: size - 1 - before, border: self.border };
        Ok(Walk { axis: self.axis, extension, cost, whole: false, first: 0 })
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::array::sample::Sample;
    use crate::exec::simd::testing::at_every_level;
    use ndarray::{ArrayD, Axis};
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    /// Try `filter(lines, size)` on arrays, axes, borders and windows of all sorts, in place and not, at every SIMD
    /// level and with several threads.
    ///
    /// `definition(line, size)` is the result of the window of `size` samples that ends `line`; before it lies what the
    /// windows of the pixels before have.
    pub(crate) fn equals_its_definition(
        filter: impl Fn(Lines<'_>, usize) -> Result<()>,
        definition: impl Fn(&[f64], usize) -> f64,
    ) {
        let shapes = prop::collection::vec(1_usize..70, 1..4)
            .prop_filter("too large", |shape| shape.iter().product::<usize>() < 20_000);
        let cases = (shapes, 0_usize..3, 1_usize..20, -9_isize..9, 0..7, 1_usize..4);
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) };
        let tried = TestRunner::new(config).run(&cases, |(shape, axis, size, origin, code, threads)| {
            let axis = axis % shape.len();
            let origin = origin.clamp(-(size as isize / 2), (size as isize - 1) / 2);
            let border = Border::from_code(code).unwrap();
            let mut count = 0;
            let integers = ArrayD::from_shape_simple_fn(shape, || {
                count = (count * 31 + 17) % 1009;
                count
            });
            macro_rules! try_samples {
                ($variant:ident: $samples:expr) => {{
                    let array = $samples;
                    let before = super::before(size, origin).unwrap();
                    let expected = plain(&array, axis, size, before, border, &definition);
                    at_every_level(threads, || {
                        for in_place in [true, false] {
                            let mut found = array.clone();
                            let view = View::$variant(array.view());
                            let input = if in_place { None } else { Some(&view) };
                            let output = ViewMut::$variant(found.view_mut());
                            filter(Lines { input, output, axis, border, fill: 7.0, origin }, size).unwrap();
                            prop_assert_eq!(&found, &expected);
                        }
                        Ok(())
                    })?;
                }};
            }
            try_samples!(U8: integers.mapv(|sample: i16| sample as u8));
            try_samples!(I16: integers.clone());
            // Beside a tiny number sums have bits in their last places.
            try_samples!(F32: integers.mapv(|sample| if sample % 64 == 3 { 1.3e-9 } else { f32::from(sample) * 1.1 }));
            try_samples!(F64: integers.mapv(|sample| f64::from(sample) * 1.1));
            Ok(())
        });
        tried.unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// The definition along every line, which is extended sample by sample.
    fn plain<T: Sample>(
        array: &ArrayD<T>,
        axis: usize,
        size: usize,
        before: usize,
        border: Border,
        definition: impl Fn(&[f64], usize) -> f64,
    ) -> ArrayD<T> {
        let mut result = array.clone();
        for mut line in result.lanes_mut(Axis(axis)) {
            let extended: Vec<f64> = (0..line.len() + size - 1)
                .map(|at| border.index(at as isize - before as isize, line.len()))
                .map(|inside| inside.map_or(7.0, |inside| line[inside].to_f64()))
                .collect();
            for (row, result) in line.iter_mut().enumerate() {
                *result = T::from_f64_truncated(definition(&extended[..row + size], size));
            }
        }
        result
    }

    #[test]
    fn a_window_beside_the_pixel_is_refused() {
        assert_eq!((before(3, -1), before(3, 1), before(4, 1)), (Ok(0), Ok(2), Ok(3)));
        for (size, origin) in [(0, 0), (2, 1), (3, -2), (3, 2), (3, isize::MAX)] {
            assert!(matches!(before(size, origin), Err(KernelError::Parameter(_))));
        }
    }
}
