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

mod block;
mod field;
mod fill;
mod labels;
mod projective;
mod pull;
mod rule;
pub(crate) mod shared;

use crate::clip::{Clip, hide};
use crate::dtype::{Array, DType};
use crate::resample::{Policy, coefficients};
use crate::workspace::Workspace;
use block::{AllWithin, Block};
use field::{FIELD_PAD, displace};
use fill::fill_pixels;
use labels::gather;
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::index::advance;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::exec::simd::dispatch;
use offgraph_kernels::interpolate::projective2d::on_border;
use offgraph_kernels::interpolate::warp;
use offgraph_kernels::memory::{self, CollectVec};
use projective::ProjectiveRows;

/// Pixels whose coordinates are made at once: they stay in the cache.
const BLOCK: usize = 2048;

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
