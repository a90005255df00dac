//! Displacements: a field enlarged to one value per pixel, or sampled at any coordinates.

use crate::dtype::{Array, DType};
use crate::warp::shared;
use crate::workspace::Workspace;
use ndarray::{ArrayViewMutD, IxDyn};
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::exec::simd::{Kernel, dispatch};
use offgraph_kernels::interpolate::options::Options;
use offgraph_kernels::interpolate::warp;
use offgraph_kernels::interpolate::zoom::{self, AxisMap};
use offgraph_kernels::memory::CollectVec;

/// Samples around the coefficients of a [`Map::Field`](super::Map::Field).
pub(super) const FIELD_PAD: usize = 3;

/// Sample a field at all pixels: SciPy's zoom in mode 'mirror'; a field of the output's size as it is.
pub(super) fn displace(
    field: &Array,
    order: usize,
    zooms: &[f64],
    nothing: f32,
    mut to: ViewMut<'_>,
) -> Result<()> {
    let view = field.view();
    if view.shape() == to.shape() {
        let (View::F64(from), ViewMut::F64(to)) = (&view, &mut to) else {
            return Err(KernelError::parameter("a field is float64"));
        };
        to.assign(from);
        return Ok(());
    }
    let dense = shared::take(&view, order, zooms, to.shape());
    let dense = dense.map_or_else(|| enlarge(&view, field.dtype(), order, zooms, to.shape()), Ok)?;
    let ViewMut::F64(widened) = &mut to else {
        return Err(KernelError::parameter("coordinates are float64"));
    };
    let View::F32(from) = dense.view() else {
        return Err(KernelError::parameter("a field that is enlarged is float32"));
    };
    let (Some(widened), Some(from)) = (widened.as_slice_mut(), from.as_slice()) else {
        return Err(KernelError::shape("coordinates lie in C order"));
    };
    dispatch(Widen { from, to: widened, nothing });
    shared::keep(&view, order, zooms, dense);
    Ok(())
}

/// A field with one value per pixel.
fn enlarge(view: &View<'_>, dtype: DType, order: usize, zooms: &[f64], shape: &[usize]) -> Result<Workspace> {
    let options = Options { order, border: Border::Mirror, fill: 0.0, pad: 0 };
    let axis = |zoom: &f64| AxisMap { shift: None, zoom: Some(*zoom), grid: false };
    let maps = zooms.iter().map(axis).collect_vec();
    let mut dense = Workspace::new(dtype, shape);
    if order < 2 {
        zoom::zoom(view, dense.view_mut(), 1, &maps, &options)?;
    } else {
        let mut workspace = Workspace::new(DType::F64, view.shape());
        let ViewMut::F64(coefficients) = workspace.view_mut() else {
            unreachable!("it was made of this type")
        };
        zoom::zoom_filtered(view, coefficients, dense.view_mut(), 1, &maps, &options)?;
    }
    Ok(dense)
}

/// Displacements in `f64`; those below `nothing` are none.
struct Widen<'a> {
    from: &'a [f32],
    to: &'a mut [f64],
    nothing: f32,
}

impl Kernel for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, to, nothing } = self;
        to.iter_mut().zip(from).for_each(|(to, from)| {
            *to = if from.abs() < nothing { 0.0 } else { f64::from(*from) };
        });
    }
}

/// Add a displacement to coordinates, one axis after another; `found` is a workspace of the same length.
pub(super) fn move_by_field(
    coefficients: &Array,
    order: usize,
    scale: &[f64],
    nothing: f64,
    coordinates: &mut [f64],
    found: &mut [f64],
) -> Result<()> {
    let (rank, count) = (scale.len(), coordinates.len() / scale.len());
    let view = coefficients.view();
    let mut places = Workspace::new(DType::F64, &[rank, count]);
    let ViewMut::F64(mut to) = places.view_mut() else { unreachable!("it was made of this type") };
    let to = to.as_slice_mut().expect("in C order");
    for ((line, to), (scale, len)) in coordinates
        .chunks_exact(count)
        .zip(to.chunks_exact_mut(count))
        .zip(scale.iter().zip(&view.shape()[1..]))
    {
        let top = (len - 2 * FIELD_PAD) as f64 - 1.0;
        line.iter().zip(to).for_each(|(along, to)| *to = (along * scale).clamp(0.0, top) + FIELD_PAD as f64);
    }
    let is_lost = |point: usize| (0..rank).any(|axis| coordinates[axis * count + point].is_nan());
    for point in (0..count).filter(|point| is_lost(*point)) {
        (0..rank).for_each(|axis| to[axis * count + point] = FIELD_PAD as f64);
    }
    let lost = (0..count).filter(|point| is_lost(*point)).collect_vec();
    let output = ArrayViewMutD::from_shape(IxDyn(&[rank, count]), &mut *found)
        .map_err(|_| KernelError::shape("a workspace of another length"))?;
    let options = Options { order, border: Border::Mirror, fill: 0.0, pad: 0 };
    warp::at_points(&view, ViewMut::F64(output), 1, &places.view(), &options)?;
    for (along, moved) in coordinates.iter_mut().zip(&*found) {
        *along += if moved.abs() < nothing { 0.0 } else { *moved };
    }
    for point in lost {
        (0..rank).for_each(|axis| coordinates[axis * count + point] = f64::NAN);
    }
    Ok(())
}
