//! Resampling: affine maps, zooms by an axis each, and weighted sums; the kernels' loops over workspaces.

use crate::clip::{Clip, hide};
use crate::dtype::DType;
use crate::grid::{Grid, GridAxis};
use crate::workspace::{Workspace, as_halves, as_halves_mut, read_in_c_order, write_in_c_order};
use offgraph_kernels::array::axes::{Axes, order_axes};
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::interpolate::options::Options;
use offgraph_kernels::interpolate::resize::{self, Taps};
use offgraph_kernels::interpolate::spline::spline_filter1d;
use offgraph_kernels::interpolate::warp;
use offgraph_kernels::interpolate::zoom::{self, AxisMap};
use offgraph_kernels::memory::{self, CollectVec};
use std::sync::Arc;

/// Samples added on each side where a border mode has no spline filter of its own; part of SciPy's answer.
const PAD: usize = 12;

/// How pixels are read between the samples, and what lies beyond the border.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Spline order, 0 to 5.
    pub order: usize,
    /// What lies beyond the border.
    pub border: Border,
    /// The fill value of the constant modes.
    pub fill: f64,
}

impl Policy {
    pub(crate) fn options(&self, pad: usize) -> Options {
        Options { order: self.order, border: self.border, fill: self.fill, pad }
    }

    /// Samples that are added on each side before the spline filter.
    fn pad(&self) -> usize {
        let is_padded = matches!(self.border, Border::Nearest | Border::GridConstant);
        if self.order > 1 && is_padded { PAD } else { 0 }
    }
}

/// An affine map of some spatial axes; the others are carried along.
#[derive(Debug, Clone, PartialEq)]
pub struct Affine {
    /// Length of each spatial axis of the output.
    pub size: Vec<usize>,
    /// The spatial axes that move, in order; all of them if empty.
    pub moved: Vec<usize>,
    /// From output to input positions on the axes that move, row by row.
    pub matrix: Vec<f64>,
    /// Added to the product.
    pub offset: Vec<f64>,
    /// How to read the input.
    pub policy: Policy,
    /// Rectangles of earlier images; their maps are of all spatial axes.
    pub clips: Vec<Clip>,
    /// Whether the values are labels, which are never read through `f64`: order 0 and nearest border pixel.
    pub is_labels: bool,
}

impl Affine {
    /// Resample `input` into `output`, both with axes `[outer…, spatial…, inner…]`.
    pub fn run(&self, input: &View<'_>, mut output: ViewMut<'_>, axes: Axes) -> Result<()> {
        let Self { matrix, offset, policy, .. } = self;
        if self.is_labels && matches!(input, View::I64(_) | View::U64(_)) {
            self.read_wide_labels(input, output.reborrow(), axes)?;
        } else if self.moved.is_empty() || self.moved.len() == axes.spatial {
            let (coefficients, pad) = coefficients(input, axes, policy)?;
            let source = coefficients.as_ref().map_or_else(|| input.view(), Workspace::view);
            warp::affine(&source, output.reborrow(), axes.outer, matrix, offset, &policy.options(pad))?;
        } else {
            let is_moved = |axis: &usize| self.moved.contains(axis);
            if !self.moved.is_sorted() || self.moved.iter().any(|axis| *axis >= axes.spatial) {
                return Err(KernelError::shape(format!("the axes {:?} cannot move", self.moved)));
            }
            let on_array = |axis: usize| axes.outer + axis;
            let still = (0..axes.spatial).filter(|axis| !is_moved(axis)).map(on_array).collect_vec();
            let moved = self.moved.iter().copied().map(on_array).collect_vec();
            let (order, moving) = order_axes(axes.outer, still, &moved, input.ndim());
            let input = input.view().permuted(&order);
            let (coefficients, pad) = coefficients(&input, moving, policy)?;
            let source = coefficients.as_ref().map_or_else(|| input.view(), Workspace::view);
            let output = output.reborrow().permuted(&order);
            warp::affine(&source, output, moving.outer, matrix, offset, &policy.options(pad))?;
        }
        hide(&self.clips, output, axes)
    }

    /// Labels of 64 bits, which `f64` does not hold: each is read as two numbers of 32 bits, the planes of a pixel.
    fn read_wide_labels(&self, input: &View<'_>, output: ViewMut<'_>, axes: Axes) -> Result<()> {
        if self.policy.order != 0 || self.policy.border != Border::Nearest {
            return Err(KernelError::parameter("labels are read at order 0 in mode 'nearest'"));
        }
        read_in_c_order(input, |input| {
            write_in_c_order(output, |output| {
                let halves = Self { is_labels: false, clips: Vec::new(), ..self.clone() };
                halves.run(&as_halves(input)?, as_halves_mut(output)?, axes)
            })
        })
    }
}

/// What the samples are weighted sums of, above order 1, and by how many of them it begins earlier.
pub(crate) fn coefficients(
    input: &View<'_>,
    axes: Axes,
    policy: &Policy,
) -> Result<(Option<Workspace>, usize)> {
    if policy.order < 2 {
        return Ok((None, 0));
    }
    let padded = padded(input, axes, policy)?;
    let source = padded.as_ref().map_or_else(|| input.view(), Workspace::view);
    let mut coefficients = Workspace::new(DType::F64, source.shape());
    let mut is_first = true;
    for axis in axes.outer..axes.outer + axes.spatial {
        let from = is_first.then_some(&source);
        spline_filter1d(from, coefficients.view_mut(), axis, policy.order, policy.border)?;
        is_first = false;
    }
    Ok((Some(coefficients), policy.pad()))
}

/// The input with the samples around it that the border mode needs before the spline filter, if it needs any.
fn padded(input: &View<'_>, axes: Axes, policy: &Policy) -> Result<Option<Workspace>> {
    let pad = policy.pad();
    if pad == 0 {
        return Ok(None);
    }
    let mut shape = memory::copy(input.shape());
    let mut along = memory::with_capacity(axes.spatial);
    for axis in 0..axes.spatial {
        let len = &mut shape[axes.outer + axis];
        *len += 2 * pad;
        memory::push(&mut along, GridAxis { axis, flip: false, start: -(pad as isize), len: *len });
    }
    let mut padded = Workspace::new(DType::of(input), &shape);
    Grid { axes: along, border: policy.border, fill: policy.fill }.run(input, padded.view_mut(), axes)?;
    Ok(Some(padded))
}

/// SciPy's zoom: each axis of the output reads one of the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Zoom {
    /// Length of each spatial axis of the output.
    pub size: Vec<usize>,
    /// One for each spatial axis.
    pub maps: Vec<AxisMap>,
    /// How to read the input.
    pub policy: Policy,
}

impl Zoom {
    /// Resample `input` into `output`, both with axes `[outer…, spatial…, inner…]`.
    pub fn run(&self, input: &View<'_>, output: ViewMut<'_>, axes: Axes) -> Result<()> {
        let Self { maps, policy, .. } = self;
        if policy.order < 2 {
            return zoom::zoom(input, output, axes.outer, maps, &policy.options(0));
        }
        let padded = padded(input, axes, policy)?;
        let source = padded.as_ref().map_or_else(|| input.view(), Workspace::view);
        let mut coefficients = Workspace::new(DType::F64, source.shape());
        let ViewMut::F64(coefficients) = coefficients.view_mut() else {
            unreachable!("it was made of this type")
        };
        zoom::zoom_filtered(&source, coefficients, output, axes.outer, maps, &policy.options(policy.pad()))
    }
}

/// Weighted sums of runs of pixels, one axis after the other.
#[derive(Debug, Clone)]
pub struct Resize {
    /// Length of each spatial axis of the output.
    pub size: Vec<usize>,
    /// A table for each spatial axis.
    pub tables: Arc<Vec<Taps>>,
    /// Whole pixels of the input for each pixel of the result, on each spatial axis: 0 where it grows.
    pub ratios: Vec<usize>,
}

impl Resize {
    /// Resample `input` into `output`, both with axes `[outer…, spatial…, inner…]`.
    pub fn run(&self, input: &View<'_>, output: ViewMut<'_>, axes: Axes) -> Result<()> {
        resize::resize(input, output, axes.outer, &self.tables)
    }
}
