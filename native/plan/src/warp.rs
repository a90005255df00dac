//! Resampling through maps that are not affine: coordinates are made row by row, and shared by all planes.
//!
//! ```text
//! for each row of the output:
//!     coordinates = positions of its pixels, plus the field of a displacement
//!     for each other map, from the last of the chain to the first:
//!         coordinates = map(coordinates)
//!     a pixel without finite coordinates is noted, and gets the fill value at the end
//! ```

use crate::clip::{Clip, hide};
use crate::dtype::{Array, DType};
use crate::resample::{Policy, coefficients};
use crate::workspace::Workspace;
use ndarray::{ArrayViewMutD, Axis, Slice};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::index::advance;
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::exec::simd::{Kernel, dispatch};
use offgraph_kernels::interpolate::options::Options;
use offgraph_kernels::interpolate::warp;
use offgraph_kernels::interpolate::zoom::{self, AxisMap};
use offgraph_kernels::match_dtype;
use offgraph_kernels::memory::{self, CollectVec};

/// One map of a chain.
#[derive(Debug)]
pub enum Map {
    /// `input = matrix @ output + offset`.
    Affine {
        /// Row by row.
        matrix: Vec<f64>,
        /// Added to the product.
        offset: Vec<f64>,
    },
    /// `[w * input, w] = matrix @ [output, 1]`, nothing where w is not positive.
    Projective {
        /// One row and column more than there are spatial axes.
        matrix: Vec<f64>,
    },
    /// `input = output + field`, the field sampled by a spline; only as the last map of a chain.
    Displacement {
        /// Shape (n, *grid): of `f64` with a node for each pixel, else of `f32`, in which it is enlarged.
        field: Array,
        /// Spline order of the field, 1 to 5.
        order: usize,
        /// Nodes per output pixel, for each axis.
        zooms: Vec<f64>,
    },
}

/// A chain of maps of all spatial axes.
#[derive(Debug)]
pub struct Warp {
    /// Length of each spatial axis of the output.
    pub size: Vec<usize>,
    /// From the map that takes the output's pixels to the one that gives the input's coordinates.
    pub maps: Vec<Map>,
    /// How to read the input; the fill value also stands where nothing is.
    pub policy: Policy,
    /// Rectangles of earlier images.
    pub clips: Vec<Clip>,
}

impl Warp {
    /// Resample `input` into `output`, both with axes `[outer…, spatial…, inner…]`.
    pub fn run(&self, input: &View<'_>, mut output: ViewMut<'_>, axes: Axes) -> Result<()> {
        let Self { size, policy, clips, .. } = self;
        self.check(axes.spatial)?;
        let shape = std::iter::once(axes.spatial).chain(size.iter().copied()).collect_vec();
        let mut coordinates = Workspace::new(DType::F64, &shape);
        let lost = self.fill(coordinates.view_mut())?;
        let (coefficients, pad) = coefficients(input, axes, policy)?;
        let source = coefficients.as_ref().map_or_else(|| input.view(), Workspace::view);
        warp::at_points(&source, output.reborrow(), axes.outer, &coordinates.view(), &policy.options(pad))?;
        fill_pixels(&lost, output.reborrow(), axes, policy.fill);
        hide(clips, output, axes)
    }

    fn check(&self, rank: usize) -> Result<()> {
        let fits = |(number, map): (usize, &Map)| match map {
            Map::Affine { matrix, offset } => matrix.len() == rank * rank && offset.len() == rank,
            Map::Projective { matrix } => matrix.len() == (rank + 1) * (rank + 1),
            Map::Displacement { field, order, zooms } => {
                let shape = field.view().shape().first().copied();
                let is_float = matches!(field.dtype(), DType::F32 | DType::F64);
                let is_field = is_float && field.view().ndim() == rank + 1;
                number == 0 && is_field && shape == Some(rank) && zooms.len() == rank && *order > 0
            }
        };
        if self.size.len() != rank || !self.maps.iter().enumerate().all(fits) {
            return Err(KernelError::shape(format!("maps that do not fit {rank} axes")));
        }
        Ok(())
    }

    /// Write the input coordinates of all pixels; the numbers of those that have none, whose coordinates are zero.
    fn fill(&self, mut coordinates: ViewMut<'_>) -> Result<Vec<usize>> {
        let rank = self.size.len();
        let (pixels, width) = (self.size.iter().product::<usize>(), self.size[rank - 1]);
        let mut lost = Vec::new();
        if pixels == 0 {
            return Ok(lost);
        }
        let is_displaced = matches!(self.maps.first(), Some(Map::Displacement { .. }));
        if let Some(Map::Displacement { field, order, zooms }) = self.maps.first() {
            displace(field, *order, zooms, coordinates.reborrow())?;
        }
        let maps = &self.maps[usize::from(is_displaced)..];
        let ViewMut::F64(mut to) = coordinates else {
            return Err(KernelError::parameter("coordinates are float64"));
        };
        let to = to.as_slice_mut().ok_or_else(|| KernelError::shape("coordinates lie in C order"))?;
        let (mut from, mut next) =
            (memory::zeros::<f64>(rank * width), memory::zeros::<f64>((rank + 1) * width));
        let mut row = memory::zeros(rank - 1);
        for first in (0..pixels).step_by(width) {
            for (axis, line) in from.chunks_exact_mut(width).enumerate() {
                let to = &mut to[axis * pixels + first..][..width];
                if !is_displaced {
                    to.fill(0.0);
                }
                match row.get(axis) {
                    Some(position) => {
                        line.iter_mut().zip(&*to).for_each(|(x, to)| *x = *position as f64 + to)
                    }
                    None => {
                        line.iter_mut().zip(&*to).enumerate().for_each(|(at, (x, to))| *x = at as f64 + to)
                    }
                }
            }
            for map in maps {
                dispatch(Pull { map, from: &from, to: &mut next, width });
                from.copy_from_slice(&next[..rank * width]);
            }
            for x in 0..width {
                let is_lost = (0..rank).any(|axis| !from[axis * width + x].is_finite());
                if is_lost {
                    memory::push(&mut lost, first + x);
                }
                for axis in 0..rank {
                    to[axis * pixels + first + x] = if is_lost { 0.0 } else { from[axis * width + x] };
                }
            }
            advance(&mut row, &self.size[..rank - 1]);
        }
        Ok(lost)
    }
}

/// Sample a field at all pixels: SciPy's zoom in mode 'mirror'; a field of the output's size as it is.
fn displace(field: &Array, order: usize, zooms: &[f64], mut to: ViewMut<'_>) -> Result<()> {
    let view = field.view();
    if view.shape() == to.shape() {
        let (View::F64(from), ViewMut::F64(to)) = (&view, &mut to) else {
            return Err(KernelError::parameter("a field is float64"));
        };
        to.assign(from);
        return Ok(());
    }
    let options = Options { order, border: Border::Mirror, fill: 0.0, pad: 0 };
    let axis = |zoom: &f64| AxisMap { shift: None, zoom: Some(*zoom), grid: false };
    let maps = zooms.iter().map(axis).collect_vec();
    let mut dense = Workspace::new(field.dtype(), to.shape());
    if order < 2 {
        zoom::zoom(&view, dense.view_mut(), 1, &maps, &options)?;
    } else {
        let mut workspace = Workspace::new(DType::F64, view.shape());
        let ViewMut::F64(coefficients) = workspace.view_mut() else {
            unreachable!("it was made of this type")
        };
        zoom::zoom_filtered(&view, coefficients, dense.view_mut(), 1, &maps, &options)?;
    }
    let ViewMut::F64(to) = &mut to else { return Err(KernelError::parameter("coordinates are float64")) };
    match_dtype!(View, dense.view(), dense => to.zip_mut_with(&dense, |to, from| *to = from.to_f64()));
    Ok(())
}

/// Take a row of coordinates, one axis after another, through a map.
struct Pull<'a> {
    map: &'a Map,
    from: &'a [f64],
    to: &'a mut [f64],
    width: usize,
}

impl Kernel for Pull<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { map, from, to, width } = self;
        // The last column first, then one product after another: SciPy's order of an affine map.
        let sum = |to: &mut [f64], factors: &[f64], start: f64| {
            to.fill(start);
            for (factor, from) in factors.iter().zip(from.chunks_exact(width)) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to += factor * from);
            }
        };
        match map {
            Map::Affine { matrix, offset } => {
                let rank = offset.len();
                for ((factors, start), to) in
                    matrix.chunks_exact(rank).zip(offset).zip(to.chunks_exact_mut(width))
                {
                    sum(to, factors, *start);
                }
            }
            Map::Projective { matrix } => {
                let rank = from.len() / width;
                for (factors, to) in matrix.chunks_exact(rank + 1).zip(to.chunks_exact_mut(width)) {
                    sum(to, &factors[..rank], factors[rank]);
                }
                let (products, scale) = to.split_at_mut(rank * width);
                let scale = &scale[..width];
                for to in products.chunks_exact_mut(width) {
                    for (to, scale) in to.iter_mut().zip(scale) {
                        let place = *to / scale;
                        *to = if *scale > 0.0 && place.is_finite() { place } else { f64::NAN };
                    }
                }
            }
            Map::Displacement { .. } => {}
        }
    }
}

/// Give the pixels of these numbers a value, on all planes.
fn fill_pixels(numbers: &[usize], output: ViewMut<'_>, axes: Axes, fill: f64) {
    if numbers.is_empty() || output.is_empty() {
        return;
    }
    let last = axes.outer + axes.spatial;
    match_dtype!(ViewMut, output, output => {
        fn fill_in<T: Sample>(
            numbers: &[usize], mut output: ArrayViewMutD<'_, T>, outer: usize, last: usize, fill: f64,
        ) {
            let fill = T::from_f64_rounded(fill);
            let lens = memory::copy(&output.shape()[outer..last]);
            for number in numbers {
                let mut pixel = output.view_mut();
                let mut rest = *number;
                for (axis, len) in lens.iter().enumerate().rev() {
                    pixel.slice_axis_inplace(Axis(outer + axis), Slice::from(rest % len..rest % len + 1));
                    rest /= len;
                }
                pixel.fill(fill);
            }
        }
        fill_in(numbers, output, axes.outer, last, fill);
    });
}
