//! Resampling through maps that are not affine: coordinates are made some rows at a time, and shared by all planes.
//!
//! ```text
//! for some rows of the output:
//!     coordinates = positions of its pixels, plus the field of a displacement
//!     for each stage, from the last map of the chain to the first:
//!         a map: coordinates = map(coordinates)
//!         a border rule: what lies outside is filled, or folded back
//!         the border itself: coordinates that rounding has carried over it lie on it
//!     a pixel that is filled, or without finite coordinates, is noted, and gets its value at the end
//! ```
//!
//! Border rules stand between the maps of labels, which are read once through a whole chain of steps
//! (`offgraph/targets/composed.py`); labels are looked up at the nearest pixel.

mod projective;

use crate::clip::{Clip, hide};
use crate::dtype::{Array, DType, match_pair};
use crate::resample::{Policy, coefficients};
use crate::workspace::{Workspace, read_in_c_order, write_in_c_order};
use ndarray::{ArrayViewMutD, Axis, IxDyn, Slice};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::index::advance;
use offgraph_kernels::array::sample::Sample;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::exec::simd::{Kernel, dispatch};
use offgraph_kernels::interpolate::options::Options;
use offgraph_kernels::interpolate::projective2d::{SLACK, on_border};
use offgraph_kernels::interpolate::warp;
use offgraph_kernels::interpolate::zoom::{self, AxisMap};
use offgraph_kernels::match_dtype;
use offgraph_kernels::memory::{self, CollectVec};
use projective::ProjectiveRows;

/// Pixels whose coordinates are made at once: they stay in the cache.
const BLOCK: usize = 2048;

/// Samples around the coefficients of a [`Map::Field`].
const FIELD_PAD: usize = 3;

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
    /// `input = output + field`, the field sampled by a spline at pixels; only as the last map of a chain.
    Displacement {
        /// Shape (n, *grid): of `f64` with a node for each pixel, else of `f32`, in which it is enlarged.
        field: Array,
        /// Spline order of the field, 1 to 5.
        order: usize,
        /// Nodes per output pixel, for each axis.
        zooms: Vec<f64>,
        /// Displacements of an enlarged field below this are the rounding of its sums, and count as none.
        nothing: f32,
    },
    /// The same at any point.
    Field {
        /// Spline coefficients of `f64`, shape (n, *grid), with three more samples on each side.
        coefficients: Array,
        /// Spline order of the field, 1 to 5.
        order: usize,
        /// Nodes per output pixel, for each axis.
        scale: Vec<f64>,
        /// Displacements below this count as none.
        nothing: f64,
    },
    /// `input = centre + (output - centre) * (1 + k1 * q + k2 * q² + …)`, q the squared distance from the centre.
    Radial {
        /// k1, k2, …
        coefficients: Vec<f64>,
        /// In pixels.
        centre: Vec<f64>,
        /// The squared distance in pixels at which q is 1.
        squared_radius: f64,
    },
}

/// A border rule of order 0, as `border_rule` of `offgraph/targets/composed.py`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Length of each axis of the image.
    pub size: Vec<usize>,
    /// What lies outside.
    pub border: Border,
    /// Whether whole pixels are copied, so that the image ends at its edges in all modes.
    pub whole_pixels: bool,
    /// The value of the constant modes.
    pub value: f64,
}

/// What happens to coordinates on their way from the output to the input.
#[derive(Debug)]
pub enum Stage {
    /// They are mapped.
    Map(Map),
    /// A rule decides about those outside an image.
    Border(Rule),
    /// Those that rounding has carried over the border of an image of this size lie on it.
    OnBorder(Vec<usize>),
}

/// The rectangle of an earlier image of a fused chain, and the way to it.
#[derive(Debug)]
pub struct Window {
    /// From the output, after its displacement if the chain begins with one.
    pub stages: Vec<Stage>,
    /// Length of each axis of that image.
    pub size: Vec<usize>,
}

/// A chain of maps of all spatial axes.
#[derive(Debug)]
pub struct Warp {
    /// Length of each spatial axis of the output.
    pub size: Vec<usize>,
    /// From the map that takes the output's pixels to the one that gives the input's coordinates.
    pub stages: Vec<Stage>,
    /// How to read the input; the fill value also stands where nothing is.
    pub policy: Policy,
    /// Rectangles of earlier images, with affine maps to them.
    pub clips: Vec<Clip>,
    /// Rectangles of earlier images, with other maps.
    pub windows: Vec<Window>,
    /// Whether the values are labels: the nearest pixel is looked up, whatever the policy.
    pub is_labels: bool,
}

impl Warp {
    /// Resample `input` into `output`, both with axes `[outer…, spatial…, inner…]`.
    pub fn run(&self, input: &View<'_>, mut output: ViewMut<'_>, axes: Axes) -> Result<()> {
        let Self { size, policy, clips, .. } = self;
        self.check(axes.spatial)?;
        if let Some(maps) = ProjectiveRows::of(self).filter(|_| !self.is_labels)
            && maps.read(self, input, &mut output, axes.outer)
        {
            return hide(clips, output, axes);
        }
        let shape = std::iter::once(axes.spatial).chain(size.iter().copied()).collect_vec();
        let mut coordinates = Workspace::new(DType::F64, &shape);
        let filled = self.fill(coordinates.view_mut())?;
        if self.is_labels {
            gather(input, output.reborrow(), axes, &coordinates.view())?;
        } else {
            let (coefficients, pad) = coefficients(input, axes, policy)?;
            let source = coefficients.as_ref().map_or_else(|| input.view(), Workspace::view);
            let options = policy.options(pad);
            warp::at_points(&source, output.reborrow(), axes.outer, &coordinates.view(), &options)?;
        }
        fill_pixels(&filled, output.reborrow(), axes)?;
        hide(clips, output, axes)
    }

    fn check(&self, rank: usize) -> Result<()> {
        let fits = |stages: &[Stage], is_first: bool| {
            stages.iter().enumerate().all(|(number, stage)| stage.fits(rank, is_first && number == 0))
        };
        let windows = |window: &Window| window.size.len() == rank && fits(&window.stages, false);
        if self.size.len() != rank || !fits(&self.stages, true) || !self.windows.iter().all(windows) {
            return Err(KernelError::shape(format!("maps that do not fit {rank} axes")));
        }
        Ok(())
    }

    /// Write the input coordinates of all pixels. Return those that get a value instead, whose coordinates are zero:
    /// their numbers, in rising order, and the values.
    fn fill(&self, mut coordinates: ViewMut<'_>) -> Result<Vec<(usize, f64)>> {
        let rank = self.size.len();
        let (pixels, width) = (self.size.iter().product::<usize>(), self.size[rank - 1]);
        let mut filled = Vec::new();
        if pixels == 0 {
            return Ok(filled);
        }
        let displacement = match self.stages.first() {
            Some(Stage::Map(Map::Displacement { field, order, zooms, nothing })) => {
                displace(field, *order, zooms, *nothing, coordinates.reborrow())?;
                1
            }
            _ => 0,
        };
        let ViewMut::F64(mut to) = coordinates else {
            return Err(KernelError::parameter("coordinates are float64"));
        };
        let to = to.as_slice_mut().ok_or_else(|| KernelError::shape("coordinates lie in C order"))?;
        if let Some(maps) = ProjectiveRows::of(self).filter(|_| !self.is_labels) {
            let found = maps.fill(to, width);
            memory::extend(&mut filled, found.into_iter().map(|number| (number, self.policy.fill)));
            return Ok(filled);
        }
        let most = (BLOCK / width).max(1) * width;
        let mut block = Block::new(rank, most);
        let mut start = memory::zeros::<f64>(if self.windows.is_empty() { 0 } else { rank * most });
        let mut row = memory::zeros(rank - 1);
        for first in (0..pixels).step_by(most) {
            let count = most.min(pixels - first);
            block.begin(count);
            for from in (0..count).step_by(width) {
                for axis in 0..rank {
                    let line = &mut block.from[axis * count + from..][..width];
                    let along = &to[axis * pixels + first + from..][..width];
                    for (at, (x, along)) in line.iter_mut().zip(along).enumerate() {
                        let position = row.get(axis).copied().unwrap_or(at) as f64;
                        *x = if displacement > 0 { position + along } else { position };
                    }
                }
                advance(&mut row, &self.size[..rank - 1]);
            }
            if !self.windows.is_empty() {
                start[..rank * count].copy_from_slice(&block.from[..rank * count]);
            }
            block.pass(&self.stages[displacement..])?;
            for (axis, line) in block.from[..rank * count].chunks_exact(count).enumerate() {
                to[axis * pixels + first..][..count].copy_from_slice(line);
            }
            for axis in 0..rank {
                if !dispatch(AllWithin {
                    line: &block.from[axis * count..][..count],
                    low: f64::MIN,
                    high: f64::MAX,
                }) {
                    block.fill_where(axis, self.policy.fill, |along, filled| {
                        filled.is_none() && !along.is_finite()
                    });
                }
            }
            for window in &self.windows {
                block.from[..rank * count].copy_from_slice(&start[..rank * count]);
                block.pass(&window.stages)?;
                for (axis, len) in window.size.iter().enumerate() {
                    let last = *len as f64 - 1.0;
                    if !dispatch(AllWithin {
                        line: &block.from[axis * count..][..count],
                        low: 0.0,
                        high: last,
                    }) {
                        block.fill_where(axis, self.policy.fill, |along, _| {
                            !(0.0..=last).contains(&on_border(along, *len))
                        });
                    }
                }
            }
            for (x, value) in block.filled().iter().enumerate() {
                if let Some(value) = value {
                    memory::push(&mut filled, (first + x, *value));
                    (0..rank).for_each(|axis| to[axis * pixels + first + x] = 0.0);
                }
            }
        }
        Ok(filled)
    }
}

impl Stage {
    fn fits(&self, rank: usize, is_first: bool) -> bool {
        let is_field = |field: &Array, kinds: &[DType]| {
            let view = field.view();
            let shape = view.shape();
            kinds.contains(&field.dtype()) && shape.len() == rank + 1 && shape[0] == rank
        };
        match self {
            Self::Map(Map::Affine { matrix, offset }) => matrix.len() == rank * rank && offset.len() == rank,
            Self::Map(Map::Projective { matrix }) => matrix.len() == (rank + 1) * (rank + 1),
            Self::Map(Map::Displacement { field, order, zooms, .. }) => {
                let kinds = [DType::F32, DType::F64];
                is_first && is_field(field, &kinds) && zooms.len() == rank && (1..6).contains(order)
            }
            Self::Map(Map::Field { coefficients, order, scale, .. }) => {
                let is_padded = coefficients.view().shape().iter().skip(1).all(|len| *len > 2 * FIELD_PAD);
                is_field(coefficients, &[DType::F64])
                    && is_padded
                    && scale.len() == rank
                    && (1..6).contains(order)
            }
            Self::Map(Map::Radial { coefficients, centre, .. }) => {
                !coefficients.is_empty() && centre.len() == rank
            }
            Self::Border(Rule { size, .. }) => size.len() == rank && !size.contains(&0),
            Self::OnBorder(size) => size.len() == rank,
        }
    }
}

/// Coordinates of some pixels on their way, one axis after another.
struct Block {
    rank: usize,
    count: usize,
    from: Vec<f64>,
    next: Vec<f64>,
    filled: Vec<Option<f64>>,
    /// Whether any of `filled` may be a value.
    is_any_filled: bool,
}

impl Block {
    fn new(rank: usize, most: usize) -> Self {
        let (from, next) = (memory::zeros(rank * most), memory::zeros((rank + 1) * most));
        Self { rank, count: most, from, next, filled: memory::filled(None, most), is_any_filled: false }
    }

    fn begin(&mut self, count: usize) {
        self.count = count;
        if self.is_any_filled {
            self.filled.fill(None);
            self.is_any_filled = false;
        }
    }

    /// The values that pixels get, if any do.
    fn filled(&self) -> &[Option<f64>] {
        if self.is_any_filled { &self.filled[..self.count] } else { &[] }
    }

    /// Give pixels a value by their coordinate along an axis.
    fn fill_where(&mut self, axis: usize, value: f64, is_filled: impl Fn(f64, &Option<f64>) -> bool) {
        self.is_any_filled = true;
        let line = &self.from[axis * self.count..][..self.count];
        for (filled, along) in self.filled.iter_mut().zip(line) {
            if is_filled(*along, filled) {
                *filled = Some(value);
            }
        }
    }

    /// Take the coordinates through stages.
    fn pass(&mut self, stages: &[Stage]) -> Result<()> {
        let Self { rank, count, from, next, filled, is_any_filled } = self;
        let (count, len) = (*count, *rank * *count);
        for stage in stages {
            match stage {
                Stage::Map(Map::Field { coefficients, order, scale, nothing }) => {
                    move_by_field(coefficients, *order, scale, *nothing, &mut from[..len], &mut next[..len])?;
                }
                Stage::Map(map) => {
                    dispatch(Pull { map, from: &from[..len], to: &mut next[..len + count], width: count });
                    from[..len].copy_from_slice(&next[..len]);
                }
                Stage::Border(rule) => {
                    *is_any_filled = true;
                    for (line, n) in from[..len].chunks_exact_mut(count).zip(&rule.size) {
                        rule.apply(line, *n, filled);
                    }
                }
                Stage::OnBorder(size) => {
                    for (line, n) in from[..len].chunks_exact_mut(count).zip(size) {
                        dispatch(ToBorder { line, n: *n });
                    }
                }
            }
        }
        Ok(())
    }
}

/// Whether all numbers lie between two, these included; one that is no number does not.
struct AllWithin<'a> {
    line: &'a [f64],
    low: f64,
    high: f64,
}

impl Kernel for AllWithin<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let Self { line, low, high } = self;
        line.chunks(64)
            .all(|part| part.iter().fold(true, |all, along| all & (*along >= low) & (*along <= high)))
    }
}

/// Moves what rounding has carried over the border onto it.
struct ToBorder<'a> {
    line: &'a mut [f64],
    n: usize,
}

impl Kernel for ToBorder<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let n = self.n;
        self.line.iter_mut().for_each(|along| *along = on_border(*along, n));
    }
}

impl Rule {
    /// Apply the rule to coordinates along an axis of `n` pixels, and fill what it fills.
    fn apply(&self, line: &mut [f64], n: usize, filled: &mut [Option<f64>]) {
        let last = n as f64 - 1.0;
        let (low, high) = match self.border {
            Border::Constant if !self.whole_pixels => (-SLACK, (last + SLACK).next_up()),
            Border::Constant | Border::GridConstant => (-0.5 - SLACK, n as f64 - 0.5 - SLACK),
            // Two modes begin to repeat at the centres of the border pixels.
            Border::Mirror | Border::Wrap => (-(2.0 * SLACK) - SLACK, last + 2.0 * SLACK - SLACK),
            Border::Nearest | Border::Reflect | Border::GridWrap => (-0.5 - SLACK, last + 0.5 - SLACK),
        };
        let is_constant = matches!(self.border, Border::Constant | Border::GridConstant);
        for (along, filled) in line.iter_mut().zip(filled) {
            let is_reached = *along >= low && *along < high;
            let is_inside = if is_constant { is_reached } else { along.is_finite() };
            if !is_inside && filled.is_none() {
                *filled = Some(self.value);
            }
            if is_constant {
                continue;
            }
            if !is_reached {
                *along = folded(*along, n, self.border);
            }
            if !self.whole_pixels {
                *along = along.clamp(0.0, last);
            }
        }
    }
}

/// A coordinate outside, folded back by a mode that continues the image.
fn folded(along: f64, n: usize, border: Border) -> f64 {
    let (len, last) = (n as f64, n as f64 - 1.0);
    match border {
        Border::Nearest => along.clamp(0.0, last),
        Border::GridWrap => modulo(along + 0.5 + SLACK, len) - 0.5 - SLACK,
        Border::Reflect => {
            let phase = modulo(along + 0.5, 2.0 * len);
            (if phase > len { 2.0 * len - phase } else { phase }) - 0.5
        }
        Border::Mirror if n > 1 => {
            let phase = modulo(along, 2.0 * len - 2.0);
            if phase > last { 2.0 * len - 2.0 - phase } else { phase }
        }
        // SciPy's: the last pixel is the first one again.
        Border::Wrap if n > 1 && along < 0.0 => along + last * ((-along / last).trunc() + 1.0),
        Border::Wrap if n > 1 && along > last => along - last * (along / last).trunc(),
        Border::Wrap if n > 1 => along,
        _ => 0.0,
    }
}

/// NumPy's `mod`: the remainder with the sign of the divisor, which is positive.
fn modulo(value: f64, divisor: f64) -> f64 {
    let rest = value % divisor;
    if rest < 0.0 { rest + divisor } else { rest.abs() }
}

/// Add a displacement to coordinates, one axis after another; `found` is a workspace of the same length.
fn move_by_field(
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

/// Look up the pixel nearest to each coordinate, of two equally near ones the later.
fn gather(input: &View<'_>, output: ViewMut<'_>, axes: Axes, coordinates: &View<'_>) -> Result<()> {
    let last = axes.outer + axes.spatial;
    let (from, to) = (input.shape(), output.shape());
    let fits = from.len() == to.len()
        && from[..axes.outer] == to[..axes.outer]
        && from[last..] == to[last..]
        && from[axes.outer..last].iter().all(|len| *len > 0);
    let View::F64(coordinates) = coordinates else {
        return Err(KernelError::parameter("coordinates are float64"));
    };
    let made: usize = to[axes.outer..last].iter().product();
    let (Some(coordinates), true) =
        (coordinates.as_slice(), fits && coordinates.len() == axes.spatial * made)
    else {
        return Err(KernelError::shape(format!("labels of {from:?} cannot be read to {to:?}")));
    };
    let planes: usize = from[last..].iter().product();
    let size = memory::copy(&from[axes.outer..last]);
    if made * planes == 0 {
        return Ok(());
    }
    let mut numbers = memory::zeros::<usize>(made);
    for (line, n) in coordinates.chunks_exact(made).zip(&size) {
        let last = *n as f64 - 1.0;
        for (number, along) in numbers.iter_mut().zip(line) {
            *number = *number * n + (along + (0.5 + SLACK)).floor().clamp(0.0, last) as usize;
        }
    }
    let pixels = size.iter().product::<usize>() * planes;
    read_in_c_order(input, |input| {
        write_in_c_order(output, |output| {
            match_pair!(input.view(), output, (from, to) => {
                let mut to = to;
                let from = from.as_slice().expect("in C order");
                let to = to.as_slice_mut().expect("in C order");
                for (from, to) in from.chunks_exact(pixels).zip(to.chunks_exact_mut(made * planes)) {
                    for (to, number) in to.chunks_exact_mut(planes).zip(&numbers) {
                        to.copy_from_slice(&from[number * planes..][..planes]);
                    }
                }
                Ok(())
            }, _ => Err(KernelError::parameter("labels keep their type")))
        })
    })
}

/// Sample a field at all pixels: SciPy's zoom in mode 'mirror'; a field of the output's size as it is.
fn displace(field: &Array, order: usize, zooms: &[f64], nothing: f32, mut to: ViewMut<'_>) -> Result<()> {
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
    let View::F32(dense) = dense.view() else {
        return Err(KernelError::parameter("a field that is enlarged is float32"));
    };
    to.zip_mut_with(&dense, |to, from| *to = if from.abs() < nothing { 0.0 } else { f64::from(*from) });
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
            Map::Radial { coefficients, centre, squared_radius } => {
                let (places, factor) = to.split_at_mut(from.len());
                let factor = &mut factor[..width];
                factor.fill(0.0);
                for (from, middle) in from.chunks_exact(width).zip(centre) {
                    factor
                        .iter_mut()
                        .zip(from)
                        .for_each(|(sum, from)| *sum += (from - middle) * (from - middle));
                }
                let (highest, lower) = coefficients.split_last().expect("checked: there is one");
                for factor in &mut *factor {
                    let squared = *factor / squared_radius;
                    let sum = lower.iter().rev().fold(highest * squared, |sum, k| (sum + k) * squared);
                    *factor = sum + 1.0;
                }
                for ((from, middle), to) in
                    from.chunks_exact(width).zip(centre).zip(places.chunks_exact_mut(width))
                {
                    for ((to, from), factor) in to.iter_mut().zip(from).zip(&*factor) {
                        *to = (from - middle) * factor + middle;
                    }
                }
            }
            Map::Displacement { .. } | Map::Field { .. } => {}
        }
    }
}

/// Give pixels a value of their own, on all planes.
fn fill_pixels(filled: &[(usize, f64)], output: ViewMut<'_>, axes: Axes) -> Result<()> {
    if filled.is_empty() || output.is_empty() {
        return Ok(());
    }
    let last = axes.outer + axes.spatial;
    let pixels: usize = output.shape()[axes.outer..last].iter().product();
    let planes: usize = output.shape()[last..].iter().product();
    match_dtype!(ViewMut, output, output => fill_in(filled, output, (axes.outer, last), pixels, planes));
    Ok(())
}

fn fill_in<T: Sample>(
    filled: &[(usize, f64)],
    mut output: ArrayViewMutD<'_, T>,
    spatial: (usize, usize),
    pixels: usize,
    planes: usize,
) {
    if let Some(elements) = output.as_slice_mut() {
        for plane in elements.chunks_exact_mut(pixels * planes) {
            for (number, value) in filled {
                plane[number * planes..][..planes].fill(T::from_f64_rounded(*value));
            }
        }
        return;
    }
    let lens = memory::copy(&output.shape()[spatial.0..spatial.1]);
    for (number, value) in filled {
        let mut pixel = output.view_mut();
        let mut rest = *number;
        for (axis, len) in lens.iter().enumerate().rev() {
            pixel.slice_axis_inplace(Axis(spatial.0 + axis), Slice::from(rest % len..rest % len + 1));
            rest /= len;
        }
        pixel.fill(T::from_f64_rounded(*value));
    }
}
