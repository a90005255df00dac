//! Filters: passes along single axes or over windows, each on the result of the one before it, in the image's type.
//!
//! The mirror of `offgraph/engine/filter_passes.py`. Sizes, weights and origins have one entry for each spatial axis;
//! on the others a window is one sample long.

use crate::dtype::DType;
use crate::workspace::{Workspace, assign, read_in_c_order, write_in_c_order};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::filter::correlate_nd::{self, Weights};
use offgraph_kernels::filter::correlate1d::AxisPass;
use offgraph_kernels::filter::line_filter::LineFilterArgs;
use offgraph_kernels::filter::separable::correlate_axes;
use offgraph_kernels::filter::uniform1d::uniform1d;
use offgraph_kernels::memory::{self, CollectVec};
use offgraph_kernels::rank::{self, BoxWindow, Outside, Window};
use std::sync::Arc;

/// A window around each pixel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Samples along each spatial axis.
    pub lengths: Vec<usize>,
    /// Shifts the window, which starts half its length before the pixel, towards lower indices.
    pub origins: Vec<isize>,
}

/// What a pass computes.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// SciPy's `correlate1d` along a spatial axis.
    Correlate1d {
        /// The spatial axis.
        axis: usize,
        /// The weights.
        weights: Vec<f64>,
        /// Moves the window.
        origin: isize,
    },
    /// SciPy's `uniform_filter1d` along a spatial axis.
    Uniform1d {
        /// The spatial axis.
        axis: usize,
        /// Samples of the window.
        size: usize,
        /// Moves the window.
        origin: isize,
    },
    /// SciPy's `correlate`.
    Correlate {
        /// The weights in C order.
        weights: Vec<f64>,
        /// Where they lie.
        extent: Extent,
    },
    /// SciPy's `rank_filter`.
    Rank {
        /// Counted from the smallest sample.
        rank: usize,
        /// Which samples of the window count, in C order.
        footprint: Vec<bool>,
        /// Where they lie.
        extent: Extent,
    },
    /// The smallest or the largest sample of a full box, compared in the image's own type.
    Extremum {
        /// Whether it is the largest.
        is_largest: bool,
        /// The box.
        extent: Extent,
    },
}

/// One pass of a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    /// What it computes.
    pub kind: Kind,
    /// What lies beyond the border.
    pub border: Border,
    /// The fill value of the constant modes.
    pub fill: f64,
}

/// A filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// One after another; without any, the image is copied.
    pub passes: Arc<Vec<Pass>>,
}

impl Filter {
    /// Filter `input` into `output`, both with axes `[outer…, spatial…, inner…]`.
    pub fn run(&self, input: &View<'_>, output: ViewMut<'_>, axes: Axes) -> Result<()> {
        if input.shape() != output.shape() || DType::of(input) != DType::of_mut(&output) {
            return Err(KernelError::shape("a filter keeps shape and element type"));
        }
        if input.is_empty() {
            return Ok(());
        }
        read_in_c_order(input, |input| {
            write_in_c_order(output, |output| self.run_in_c_order(input, output, axes))
        })
    }

    fn run_in_c_order(&self, input: &View<'_>, output: ViewMut<'_>, axes: Axes) -> Result<()> {
        let mut made: Option<Workspace> = None;
        let mut rest = &self.passes[..];
        loop {
            let source = made.as_ref().map_or_else(|| input.view(), Workspace::view);
            // Correlations along several axes are one call: band by band.
            let lines = rest.iter().take_while(|pass| matches!(pass.kind, Kind::Correlate1d { .. })).count();
            let (now, later) = rest.split_at(lines.max(1).min(rest.len()));
            if later.is_empty() {
                return run_passes(now, &source, output, axes);
            }
            let mut next = Workspace::new(DType::of(input), input.shape());
            run_passes(now, &source, next.view_mut(), axes)?;
            drop(source);
            (made, rest) = (Some(next), later);
        }
    }
}

/// Run one pass, or several correlations along an axis.
fn run_passes(passes: &[Pass], input: &View<'_>, mut output: ViewMut<'_>, axes: Axes) -> Result<()> {
    let Some(Pass { kind, border, fill }) = passes.first() else {
        assign(input, output);
        return Ok(());
    };
    let (border, fill, ndim) = (*border, *fill, input.ndim());
    let on_array = |axis: usize| {
        let is_spatial = axis < axes.spatial;
        is_spatial.then_some(axes.outer + axis).ok_or_else(|| KernelError::shape(format!("no axis {axis}")))
    };
    match kind {
        Kind::Correlate1d { .. } => {
            let mut lines = memory::with_capacity(passes.len());
            for Pass { kind, border, fill } in passes {
                let Kind::Correlate1d { axis, weights, origin } = kind else { continue };
                let (axis, border, fill, origin) = (on_array(*axis)?, *border, *fill, *origin);
                memory::push(&mut lines, AxisPass { axis, weights, border, fill, origin });
            }
            correlate_axes(Some(input), output, &lines)
        }
        Kind::Uniform1d { axis, size, origin } => {
            let (axis, origin) = (on_array(*axis)?, *origin);
            let (input, output) = (input.view(), output.reborrow());
            uniform1d(LineFilterArgs { input: Some(&input), output, axis, border, fill, origin }, *size)
        }
        Kind::Correlate { weights, extent } => {
            let Extent { lengths, origins } = extent.spread(axes, ndim)?;
            let weights = Weights { values: weights, shape: &lengths, origins: &origins };
            correlate_nd::correlate(input, output, weights, border, fill)
        }
        Kind::Rank { rank, footprint, extent } => {
            let Extent { lengths, origins } = extent.spread(axes, ndim)?;
            let window = Window { shape: &lengths, mask: footprint, origins: &origins };
            rank::rank_filter(input, output, window, *rank, border, Outside::Double(fill))
        }
        Kind::Extremum { is_largest, extent } => {
            extremum(&extent.spread(axes, ndim)?, *is_largest, border, fill, input, output)
        }
    }
}

impl Extent {
    /// The same on all axes of an array.
    fn spread(&self, axes: Axes, ndim: usize) -> Result<Self> {
        let last = axes.outer + axes.spatial;
        if [self.lengths.len(), self.origins.len()] != [axes.spatial; 2] || ndim < last {
            return Err(KernelError::shape(format!("{self:?} does not fit {} axes", axes.spatial)));
        }
        let mut lengths = memory::filled(1, ndim);
        let mut origins = memory::zeros(ndim);
        lengths[axes.outer..last].copy_from_slice(&self.lengths);
        origins[axes.outer..last].copy_from_slice(&self.origins);
        Ok(Self { lengths, origins })
    }
}

/// Extremes of a box; where it is too large for the kernel at once, of one half of the image after the other.
fn extremum(
    extent: &Extent,
    is_largest: bool,
    border: Border,
    fill: f64,
    input: &View<'_>,
    mut output: ViewMut<'_>,
) -> Result<()> {
    let Extent { lengths, origins } = extent;
    let borders = memory::filled(border, lengths.len());
    let window = BoxWindow { lengths, origins, borders: &borders };
    let refused = match rank::box_extremum(input, output.reborrow(), window, is_largest, fill) {
        Err(error @ KernelError::Memory(_)) => error,
        done => return done,
    };
    let free = (0..lengths.len()).filter(|axis| lengths[*axis] == 1 && input.shape()[*axis] > 1);
    let Some(axis) = free.max_by_key(|axis| input.shape()[*axis]) else { return Err(refused) };
    let (len, half) = (input.shape()[axis], input.shape()[axis] / 2);
    let (first, second) = output.split_at(axis, half);
    for (range, part) in [(0..half, first), (half..len, second)] {
        let ranges = input.shape().iter().enumerate();
        let ranges = ranges.map(|(at, len)| if at == axis { range.clone() } else { 0..*len }).collect_vec();
        read_in_c_order(&input.slice_ranges(&ranges), |input| {
            write_in_c_order(part, |part| extremum(extent, is_largest, border, fill, input, part))
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{ArrayD, IxDyn};
    use proptest::prelude::*;

    const ON: Axes = Axes { outer: 1, spatial: 2 };

    fn filter(kinds: Vec<Kind>) -> Filter {
        let pass = |kind| Pass { kind, border: Border::Mirror, fill: 3.0 };
        Filter { passes: Arc::new(kinds.into_iter().map(pass).collect()) }
    }

    fn on(filter: &Filter, input: &ArrayD<u8>) -> ArrayD<u8> {
        let mut output = ArrayD::zeros(input.raw_dim());
        filter.run(&View::U8(input.view()), ViewMut::U8(output.view_mut()), ON).unwrap();
        output
    }

    fn noise(shape: &[usize]) -> ArrayD<u8> {
        let mut state = 7_u32;
        ArrayD::from_shape_simple_fn(IxDyn(shape), || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
    }

    proptest! {
        #[test]
        fn each_pass_reads_the_result_of_the_one_before(
            shape in (1_usize..4, 1_usize..9, 1_usize..9, 1_usize..4),
            order in prop::sample::select(vec![[0, 1, 2, 3], [3, 2, 0, 1], [1, 0, 3, 0], [2, 2, 1, 3]]),
        ) {
            let input = noise(&[shape.0, shape.1, shape.2, shape.3]);
            let extent = || Extent { lengths: vec![3, 2], origins: vec![0, -1] };
            let passes = order.map(|number| match number {
                0 => Kind::Correlate1d { axis: 1, weights: vec![0.25, 0.5, 0.2], origin: 0 },
                1 => Kind::Uniform1d { axis: 0, size: 3, origin: 1 },
                2 => Kind::Rank { rank: 2, footprint: vec![true; 6], extent: extent() },
                _ => Kind::Extremum { is_largest: true, extent: extent() },
            });
            let expected =
                passes.iter().fold(input.clone(), |made, pass| on(&filter(vec![pass.clone()]), &made));
            prop_assert_eq!(on(&filter(passes.to_vec()), &input), expected);
        }
    }

    #[test]
    fn a_box_too_large_at_once_is_filtered_in_parts() {
        let input = noise(&[1, 40, 300_000, 1]);
        let extent = Extent { lengths: vec![39, 1], origins: vec![0, 0] };
        let spread = extent.spread(ON, 4).unwrap();
        let borders = [Border::Mirror; 4];
        let window = BoxWindow { lengths: &spread.lengths, origins: &spread.origins, borders: &borders };
        let mut output = ArrayD::zeros(input.raw_dim());
        let refused =
            rank::box_extremum(&View::U8(input.view()), ViewMut::U8(output.view_mut()), window, true, 0.0);
        assert!(matches!(refused, Err(KernelError::Memory(_))));
        let found = on(&filter(vec![Kind::Extremum { is_largest: true, extent: extent.clone() }]), &input);
        let footprint = vec![true; 39];
        let ranked = filter(vec![Kind::Rank { rank: 38, footprint, extent }]);
        assert_eq!(found, on(&ranked, &input));
    }

    #[test]
    fn passes_that_do_not_fit_are_refused() {
        let input = noise(&[1, 4, 5, 1]);
        let extent = || Extent { lengths: vec![3], origins: vec![0] };
        for pass in [
            Kind::Correlate1d { axis: 2, weights: vec![1.0], origin: 0 },
            Kind::Uniform1d { axis: 2, size: 3, origin: 0 },
            Kind::Rank { rank: 0, footprint: vec![true; 3], extent: extent() },
            Kind::Extremum { is_largest: false, extent: extent() },
        ] {
            let mut output = ArrayD::zeros(input.raw_dim());
            let view = ViewMut::U8(output.view_mut());
            assert!(filter(vec![pass]).run(&View::U8(input.view()), view, ON).is_err());
        }
        let mut other = ArrayD::<u16>::zeros(input.raw_dim());
        let copy = filter(vec![]);
        assert!(copy.run(&View::U8(input.view()), ViewMut::U16(other.view_mut()), ON).is_err());
        assert_eq!(on(&copy, &input), input);
    }
}
