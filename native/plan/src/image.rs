//! Values of whole images: colours, noise, blanks, and sums of neighbours in the plane. Nothing moves.
//!
//! The mirror of `offgraph/engine/image_ops.py`, over the kernels that take all channels of a pixel at once. An image has
//! the axes `[spatial…]` or `[spatial…, channels]`.

use crate::dtype::{Array, DType};
use crate::pointwise::in_c_order;
use crate::standardize::Statistics;
use crate::workspace::assign;
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::filter::plane_kernel::{self, PlaneTap};
use offgraph_kernels::interpolate::zoom::AxisMap;
use offgraph_kernels::interpolate::zoom_blur;
use offgraph_kernels::match_dtype;
use offgraph_kernels::memory;
use offgraph_kernels::noise::events::{self, Event};
use offgraph_kernels::noise::normal::{self, NormalNoise};
use offgraph_kernels::noise::philox::Stream;
use offgraph_kernels::pointwise::color::{self, ColorChange};
use offgraph_kernels::pointwise::color_matrix;
use offgraph_kernels::pointwise::shade::{self, Shade};
use std::ops::Range;
use std::sync::Arc;

/// What becomes of the values.
#[derive(Debug, Clone)]
pub enum ImageWork {
    /// Changes of red, green and blue, one after another. The mean of a contrast is that of the image so far: what is
    /// given for it counts for nothing.
    Recolor {
        /// The changes.
        changes: Vec<ColorChange>,
        /// The value of white.
        top: f64,
    },
    /// The luma of red, green and blue in all three channels.
    Grey,
    /// Channels in another order: where each comes from.
    Reorder(Vec<usize>),
    /// Normally distributed noise.
    Normal {
        /// What is done with the numbers.
        noise: NormalNoise,
        /// Where they come from.
        stream: Stream,
        /// Whether all channels of a pixel have the same number.
        is_shared: bool,
        /// Results are limited to 0 and this.
        top: Option<f32>,
    },
    /// Values that are replaced where a random number says so.
    Replace {
        /// Shape (events, channels), of the image's type.
        values: Arc<Array>,
        /// When.
        events: Vec<Event>,
        /// Where the numbers come from.
        stream: Stream,
        /// Whether each pixel has one number, or each value.
        is_shared: bool,
    },
    /// Rectangles that get a value.
    Blank {
        /// First pixel and the one after the last, for each spatial axis, rectangle after rectangle.
        holes: Vec<Range<usize>>,
        /// One for each channel, or one for all.
        fill: Vec<f64>,
    },
    /// Channels as weighted sums of all channels.
    Mix {
        /// A row of weights for each channel of the result.
        weights: Vec<f64>,
        /// Results are limited to 0 and this.
        top: f64,
    },
    /// Polygons in the plane of rows and columns that are darkened.
    Darken(Vec<Shade>),
    /// The mean of zooms, each with a map for rows and one for columns.
    ZoomBlur(Vec<[AxisMap; 2]>),
    /// Weighted sums of neighbours.
    Correlate {
        /// The neighbours.
        taps: Vec<PlaneTap>,
        /// What lies beyond the border.
        border: Border,
        /// The value of the constant mode.
        fill: f64,
    },
    /// Scaled by their own statistics, to `f32`.
    Standardize {
        /// By which.
        by: Statistics,
        /// Whether each channel has its own.
        per_channel: bool,
    },
}

/// Work on whole images, which leaves the shape.
#[derive(Debug, Clone)]
pub struct ImageOp {
    /// What it does.
    pub work: ImageWork,
}

impl ImageOp {
    /// The type of the result for images of a type.
    pub fn output(&self, dtype: DType) -> DType {
        if matches!(self.work, ImageWork::Standardize { .. }) { DType::F32 } else { dtype }
    }

    /// Change `input` into `output`.
    pub fn run(&self, input: &View<'_>, output: ViewMut<'_>, axes: Axes) -> Result<()> {
        let inner = input.ndim() - axes.spatial.min(input.ndim());
        if axes.outer > 0 || inner > 1 || self.output(DType::of(input)) != DType::of_mut(&output) {
            return Err(KernelError::shape(format!("an image of shape {:?} and {axes:?}", input.shape())));
        }
        let size = memory::copy(&input.shape()[..axes.spatial]);
        let channels = if inner == 1 { input.shape()[axes.spatial] } else { 1 };
        if input.is_empty() {
            return Ok(());
        }
        in_c_order(input, output, |input, output| self.change(input, output, &size, channels))
    }

    /// Arrays in C order.
    fn change(&self, input: &View<'_>, output: ViewMut<'_>, size: &[usize], channels: usize) -> Result<()> {
        let pixels = [size.iter().product(), channels];
        let lines = || input.view().into_shape(&pixels);
        match &self.work {
            ImageWork::Recolor { changes, top } => {
                let (input, found) = (lines()?, with_means(changes, &lines()?, *top)?);
                color::recolor(output.into_shape(&pixels)?, &input, &found, *top as f32)
            }
            ImageWork::Grey => color::grey(output.into_shape(&pixels)?, &lines()?),
            ImageWork::Reorder(order) => color::reorder(output.into_shape(&pixels)?, &lines()?, order),
            ImageWork::Normal { noise, stream, is_shared, top } => {
                let output = output.into_shape(&pixels)?;
                normal::add(output, &lines()?, *stream, *noise, *is_shared, *top)
            }
            ImageWork::Replace { values, events, stream, is_shared } => {
                let (output, values) = (output.into_shape(&pixels)?, values.view());
                events::replace(output, &lines()?, &values, events, *stream, *is_shared)
            }
            ImageWork::Blank { holes, fill } => blank(input, output, holes, fill, size, channels),
            ImageWork::Mix { weights, top } => {
                color_matrix::mix(output.into_shape(&pixels)?, &lines()?, weights, *top)
            }
            ImageWork::Darken(shades) => {
                let (input, output) = planes(input, output, size, channels)?;
                shade::darken(output, &input, shades)
            }
            ImageWork::ZoomBlur(zooms) => {
                let (input, output) = planes(input, output, size, channels)?;
                zoom_blur::mean_of_zooms(output, &input, zooms)
            }
            ImageWork::Correlate { taps, border, fill } => {
                let (input, output) = planes(input, output, size, channels)?;
                plane_kernel::correlate(output, &input, taps, *border, *fill)
            }
            ImageWork::Standardize { by, per_channel } => by.scale(input, output, channels, *per_channel),
        }
    }
}

/// Both arrays as (rows, columns, channels).
fn planes<'a, 'b>(
    input: &'a View<'_>,
    output: ViewMut<'b>,
    size: &[usize],
    channels: usize,
) -> Result<(View<'a>, ViewMut<'b>)> {
    let &[rows, columns] = size else {
        return Err(KernelError::shape("a plane has rows and columns"));
    };
    let shape = [rows, columns, channels];
    Ok((input.view().into_shape(&shape)?, output.into_shape(&shape)?))
}

/// Changes of colours whose contrasts have the mean luma of the image before them.
fn with_means(changes: &[ColorChange], pixels: &View<'_>, top: f64) -> Result<Vec<ColorChange>> {
    let mut found = memory::with_capacity(changes.len());
    for change in changes {
        let change = match *change {
            ColorChange::Contrast { factor, .. } => {
                let sum = color::luma_sum(pixels, &found, top as f32)?;
                let mean = sum / pixels.shape()[0] as f64 * (top / f64::from(1 << 24));
                ColorChange::Contrast { factor, mean: mean as f32 }
            }
            other => other,
        };
        memory::push(&mut found, change);
    }
    Ok(found)
}

/// Copy an image, and give rectangles of it a value.
fn blank(
    input: &View<'_>,
    mut output: ViewMut<'_>,
    holes: &[Range<usize>],
    fill: &[f64],
    size: &[usize],
    channels: usize,
) -> Result<()> {
    let is_inside = |hole: &[Range<usize>]| {
        hole.iter().zip(size).all(|(ends, len)| ends.start <= ends.end && ends.end <= *len)
    };
    let each = holes.chunks_exact(size.len());
    if !each.remainder().is_empty()
        || !each.clone().all(is_inside)
        || !(fill.len() == 1 || fill.len() == channels)
    {
        return Err(KernelError::shape(format!(
            "rectangles {holes:?} with {fill:?} in an image of {size:?}"
        )));
    }
    assign(input, output.reborrow());
    match_dtype!(ViewMut, output, to => {
        let to = to.into_slice().expect("in C order");
        each.for_each(|hole| fill_hole(to, hole, fill, size, channels));
    });
    Ok(())
}

/// Fill a rectangle, row by row.
fn fill_hole<T: Sample>(to: &mut [T], hole: &[Range<usize>], fill: &[f64], size: &[usize], channels: usize) {
    let (Some((columns, before)), Some((width, lens))) = (hole.split_last(), size.split_last()) else {
        return;
    };
    let rows: usize = before.iter().map(ExactSizeIterator::len).product();
    for number in 0..rows {
        // The number of the row among those of the hole, and among those of the image.
        let (mut rest, mut row, mut step) = (number, 0, 1);
        for (ends, len) in before.iter().zip(lens).rev() {
            row += (ends.start + rest % ends.len()) * step;
            (rest, step) = (rest / ends.len(), step * len);
        }
        let to = &mut to[(row * width + columns.start) * channels..][..columns.len() * channels];
        for (to, value) in to.iter_mut().zip(fill.iter().cycle()) {
            *to = T::from_f64_truncated(*value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array3, ArrayD, Axis};
    use proptest::prelude::*;

    fn run(work: ImageWork, input: &View<'_>, output: ViewMut<'_>, spatial: usize) -> Result<()> {
        ImageOp { work }.run(input, output, Axes { outer: 0, spatial })
    }

    proptest! {
        #[test]
        fn pixels_of_rectangles_are_filled_and_the_others_copied(
            size in prop::collection::vec(1_usize..7, 2..4), channels in 1_usize..4, per_channel in any::<bool>(),
            corners in prop::collection::vec((0_usize..7, 0_usize..7), 0..9),
        ) {
            let rank = size.len();
            let ends = |(number, (one, other)): (usize, &(usize, usize))| {
                let most = size[number % rank];
                let (low, high) = ((*one).min(*other), (*one).max(*other));
                low.min(most)..high.min(most)
            };
            let whole = corners.len() / rank * rank;
            let holes: Vec<Range<usize>> = corners[..whole].iter().enumerate().map(ends).collect();
            let fill: Vec<f64> = (0..if per_channel { channels } else { 1 }).map(|c| -7.0 - c as f64).collect();
            let shape: Vec<usize> = size.iter().copied().chain([channels]).collect();
            let input = ArrayD::from_shape_fn(shape, |at| (0..=rank).fold(1, |sum, axis| sum * 7 + at[axis]) as i32);
            let work = ImageWork::Blank { holes: holes.clone(), fill: fill.clone() };
            let mut found = ArrayD::<i32>::zeros(input.raw_dim());
            run(work, &View::I32(input.view()), ViewMut::I32(found.view_mut()), rank).unwrap();
            for (at, value) in found.indexed_iter() {
                let is_blank = holes.chunks(rank).any(|hole| (0..rank).all(|axis| hole[axis].contains(&at[axis])));
                let channel = if per_channel { at[rank] } else { 0 };
                prop_assert_eq!(*value, if is_blank { fill[channel] as i32 } else { input[&at] });
            }
        }
    }

    #[test]
    fn a_rectangle_beyond_the_image_and_fills_of_other_channels_are_refused() {
        let input = ArrayD::<u8>::zeros(vec![4, 5, 3]);
        for (hole, fill) in [(2..6, 1), (0..2, 2)] {
            let work = ImageWork::Blank { holes: vec![0..4, hole], fill: vec![0.0; fill] };
            let mut output = input.clone();
            assert!(run(work, &View::U8(input.view()), ViewMut::U8(output.view_mut()), 2).is_err());
        }
    }

    #[test]
    fn a_contrast_has_the_mean_of_what_precedes_it() {
        let input = Array3::from_shape_fn((9, 8, 3), |(y, x, c)| (y * 29 + x * 11 + c * 3) as u8).into_dyn();
        let (first, factor) = (ColorChange::Brightness(1.25), 0.5);
        let changes = vec![first, ColorChange::Contrast { factor, mean: f32::NAN }];
        let mut found = ArrayD::<u8>::zeros(input.raw_dim());
        let work = ImageWork::Recolor { changes, top: 255.0 };
        run(work, &View::U8(input.view()), ViewMut::U8(found.view_mut()), 2).unwrap();
        let lines = input.view().into_shape_with_order((72, 3)).unwrap().into_dyn();
        let sum = color::luma_sum(&View::U8(lines.view()), &[first], 255.0).unwrap();
        let mean = (sum / 72.0 * (255.0 / 16_777_216.0)) as f32;
        for (from, found) in input.lanes(Axis(2)).into_iter().zip(found.lanes(Axis(2))) {
            for (from, found) in from.iter().zip(found) {
                let value = (f32::from(*from) * 1.25).min(255.0);
                assert_eq!(
                    *found,
                    ((value - mean) * factor + mean).clamp(0.0, 255.0).round_ties_even() as u8
                );
            }
        }
    }

    #[test]
    fn channels_are_reordered_through_arrays_of_any_steps() {
        let input = ArrayD::from_shape_fn(vec![3, 4, 3], |at| (at[0] * 12 + at[1] * 3 + at[2]) as u16);
        let mut view = input.view();
        view.invert_axis(Axis(0));
        let mut output = ArrayD::<u16>::zeros(vec![3, 4, 3]);
        let mut to = output.view_mut();
        to.invert_axis(Axis(1));
        run(ImageWork::Reorder(vec![2, 0, 1]), &View::U16(view), ViewMut::U16(to), 2).unwrap();
        for (at, value) in output.indexed_iter() {
            assert_eq!(*value, input[[2 - at[0], 3 - at[1], [2, 0, 1][at[2]]]]);
        }
    }
}
