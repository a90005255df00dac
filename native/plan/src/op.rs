//! The operations of a plan.

use crate::dtype::DType;
use crate::filter::Filter;
use crate::grid::Grid;
use crate::image::ImageOp;
use crate::pointwise::{Arithmetic, Lookup};
use crate::resample::{Affine, Resize, Zoom};
use crate::warp::Warp;
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::error::Result;
use offgraph_kernels::memory;

/// One operation on an image with the axes `[outer…, spatial…, inner…]`.
#[derive(Debug)]
pub enum Op {
    /// Whole pixels are moved.
    Grid(Grid),
    /// An affine map.
    Affine(Affine),
    /// A chain of maps that is not affine.
    Warp(Warp),
    /// SciPy's zoom.
    Zoom(Zoom),
    /// Weighted sums.
    Resize(Resize),
    /// A table for values of 8 or 16 bits.
    Lookup(Lookup),
    /// Arithmetic in `f64`.
    Arithmetic(Arithmetic),
    /// Neighbours along the spatial axes are mixed.
    Filter(Filter),
    /// Values of the whole image are changed.
    Image(ImageOp),
}

impl Op {
    /// Shape and type of the result for an array of this shape and type.
    pub fn output(&self, shape: &[usize], dtype: DType, axes: Axes) -> (Vec<usize>, DType) {
        let mut shape = memory::copy(shape);
        let mut resize = |size: &mut dyn Iterator<Item = usize>| {
            for (len, new) in shape.iter_mut().skip(axes.outer).take(axes.spatial).zip(size) {
                *len = new;
            }
        };
        let mut dtype = dtype;
        match self {
            Self::Grid(grid) => resize(&mut grid.axes.iter().map(|axis| axis.len)),
            Self::Affine(Affine { size, .. })
            | Self::Warp(Warp { size, .. })
            | Self::Zoom(Zoom { size, .. })
            | Self::Resize(Resize { size, .. }) => {
                resize(&mut size.iter().copied());
            }
            Self::Lookup(lookup) => dtype = lookup.table.dtype(),
            Self::Arithmetic(arithmetic) => dtype = arithmetic.dtype,
            Self::Image(image) => dtype = image.output(dtype),
            Self::Filter(_) => {}
        }
        (shape, dtype)
    }

    /// Run it from `input` to `output`, which must have the shape and type that it makes.
    pub fn run(&self, input: &View<'_>, output: ViewMut<'_>, axes: Axes) -> Result<()> {
        match self {
            Self::Grid(grid) => grid.run(input, output, axes),
            Self::Affine(affine) => affine.run(input, output, axes),
            Self::Warp(warp) => warp.run(input, output, axes),
            Self::Zoom(zoom) => zoom.run(input, output, axes),
            Self::Resize(resize) => resize.run(input, output, axes),
            Self::Lookup(lookup) => lookup.run(input, output),
            Self::Arithmetic(arithmetic) => arithmetic.run(input, output),
            Self::Filter(filter) => filter.run(input, output, axes),
            Self::Image(image) => image.run(input, output, axes),
        }
    }
}
