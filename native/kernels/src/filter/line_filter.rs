//! What the filters along one axis share: arguments, shape checks, and the choice of element types.

use crate::array::sample::Sample;
use crate::array::scratch::Element;
use crate::array::view::{View, ViewMut};
use crate::border::Border;
use crate::error::{KernelError, Result};
use crate::match_dtype;
use crate::walk::line_tiles::{Extension, Reader, Source, Target, Walk, Writer, walk_line_tiles};
use crate::window::before;
use ndarray::ArrayViewMutD;

/// [`walk_line_tiles`] for any element types: computed in `f64`, stored with the truncating cast.
pub(crate) fn filter_as_f64(
    input: Option<&View<'_>>,
    output: ViewMut<'_>,
    walk: &Walk,
    fill: f64,
    compute: impl Fn(&mut [f64], &mut [f64], usize) + Sync,
) -> Result<()> {
    let Some(input) = input else {
        return walk_line_tiles(output, walk, fill, None, truncating, compute);
    };
    check_shapes(input, &output, walk)?;
    let reader: Box<dyn Reader<f64> + '_> = match_dtype!(View, input, array => {
        Box::new(Source(c_order(array.as_slice())?, Sample::to_f64))
    });
    walk_line_tiles(output, walk, fill, Some((reader.as_ref(), len_along(input, walk))), truncating, compute)
}

/// Reads as `f64`, stores with the truncating cast.
fn truncating<'a>(part: ViewMut<'a>) -> Box<dyn Writer<f64, f64> + 'a> {
    match_dtype!(ViewMut, part, part => {
        Box::new(Target(part, Sample::to_f64, Sample::from_f64_truncated))
    })
}

/// Element types that are filtered without converting both samples and results to `f64`.
pub(crate) trait SameType: Sample {
    /// The elements, if the view has this type and is C-contiguous.
    fn elements<'a>(view: &'a View<'_>) -> Option<&'a [Self]>;

    /// The array, if the view has this type.
    fn array(view: ViewMut<'_>) -> Option<ArrayViewMutD<'_, Self>>;

    /// Whether the view has this type.
    fn is_of(view: &ViewMut<'_>) -> bool;
}

macro_rules! same_type {
    ($($type:ty: $variant:ident),*) => {
        $(impl SameType for $type {
            fn elements<'a>(view: &'a View<'_>) -> Option<&'a [Self]> {
                if let View::$variant(array) = view { array.as_slice() } else { None }
            }

            fn array(view: ViewMut<'_>) -> Option<ArrayViewMutD<'_, Self>> {
                if let ViewMut::$variant(array) = view { Some(array) } else { None }
            }

            fn is_of(view: &ViewMut<'_>) -> bool {
                matches!(view, ViewMut::$variant(_))
            }
        })*
    };
}

same_type!(u8: U8, f32: F32);

/// Whether input and output have element type `T`.
pub(crate) fn is_same_type<T: SameType>(input: Option<&View<'_>>, output: &ViewMut<'_>) -> bool {
    T::is_of(output) && input.is_none_or(|input| T::elements(input).is_some())
}

/// [`walk_line_tiles`] for one element type, read with `load` and stored with `store`.
pub(crate) fn filter_same_type<'v, T: SameType, B: Element + Sync, R: Element>(
    input: Option<&View<'_>>,
    output: ViewMut<'v>,
    walk: &Walk,
    fill: B,
    load: impl Fn(T) -> B + Copy + Sync + 'v,
    store: impl Fn(R) -> T + Copy + Sync + 'v,
    compute: impl Fn(&mut [B], &mut [R], usize) + Sync,
) -> Result<()> {
    if let Some(input) = input {
        check_shapes(input, &output, walk)?;
    }
    let reader = input.and_then(T::elements).map(|elements| Source(elements, load));
    let reader = reader.as_ref().zip(input).map(|(reader, input)| {
        let reader: &dyn Reader<B> = reader;
        (reader, len_along(input, walk))
    });
    walk_line_tiles(
        output,
        walk,
        fill,
        reader,
        |part| -> Box<dyn Writer<B, R> + 'v> {
            Box::new(Target(T::array(part).expect("a part has the type of the whole"), load, store))
        },
        compute,
    )
}

fn len_along(input: &View<'_>, walk: &Walk) -> usize {
    input.shape().get(walk.axis).copied().unwrap_or(0)
}

/// The output must have the input's shape, or fewer rows of its lines.
fn check_shapes(input: &View<'_>, output: &ViewMut<'_>, walk: &Walk) -> Result<()> {
    let (from, to) = (input.shape(), output.shape());
    let fits = from.len() == to.len()
        && from.iter().zip(to).enumerate().all(|(axis, (from, to))| {
            from == to || axis == walk.axis && walk.first.checked_add(*to).is_some_and(|end| end <= *from)
        });
    if fits {
        return Ok(());
    }
    Err(KernelError::shape(format!("cannot filter an array of shape {from:?} into one of shape {to:?}")))
}

pub(crate) fn c_order<T>(elements: Option<&[T]>) -> Result<&[T]> {
    elements.ok_or_else(|| KernelError::shape("the input is not in C order"))
}

/// The arguments of every filter along one axis.
#[derive(Debug)]
pub struct LineFilterArgs<'a> {
    /// The input, C-contiguous; `None` to filter `output` in place.
    pub input: Option<&'a View<'a>>,
    /// The output, C-contiguous.
    pub output: ViewMut<'a>,
    /// The axis of the lines.
    pub axis: usize,
    /// Where samples outside the array come from.
    pub border: Border,
    /// The fill value of the constant modes.
    pub fill: f64,
    /// Shifts the window, which starts `size / 2 + origin` samples before the pixel.
    pub origin: isize,
}

impl LineFilterArgs<'_> {
    /// The walk of a filter with a window of `size` samples; `cost` is in nanoseconds per sample.
    ///
    /// # Errors
    ///
    /// For a size of 0, or an `origin` that moves the window off the pixel.
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

    /// Compare `filter(lines, size)` with its definition on random arrays, axes, borders and windows, in place or not,
    /// at every SIMD level and with several threads.
    ///
    /// `definition(line, size)` returns the result for the last `size` samples of `line`; the samples before them are
    /// those that earlier windows cover.
    pub(crate) fn equals_its_definition(
        filter: impl Fn(LineFilterArgs<'_>, usize) -> Result<()>,
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
                            filter(LineFilterArgs { input, output, axis, border, fill: 7.0, origin }, size).unwrap();
                            prop_assert_eq!(&found, &expected);
                        }
                        Ok(())
                    })?;
                }};
            }
            try_samples!(U8: integers.mapv(|sample: i16| sample as u8));
            try_samples!(I16: integers.clone());
            // Next to a tiny number, sums have bits in their last places.
            try_samples!(F32: integers.mapv(|sample| if sample % 64 == 3 { 1.3e-9 } else { f32::from(sample) * 1.1 }));
            try_samples!(F64: integers.mapv(|sample| f64::from(sample) * 1.1));
            Ok(())
        });
        tried.unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// The definition along every line, extended sample by sample.
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
