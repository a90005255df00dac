//! A recipe as plain data: draws, lowers and joins the steps of a sample without Python.
//!
//! The mirror of `offgraph/plan/{draw,lower,fuse,native}.py`, for images of two spatial axes:
//!
//! ```text
//! for each step: does it apply? ([`random`]) → its values → one operation ([`steps`])
//! join neighbours that move pixels                          ([`fuse`])
//! each operation → what the core runs                       (here)
//! ```
//!
//! Operations have the bits that Python gives them. Whatever Python would refuse, and whatever is not known here, is
//! [`Unplanned::NeedsPython`]: errors and their words stay Python's. Weights and tables of values are never computed
//! here: Python makes each once ([`tables`]).

pub mod degrees;
mod fuse;
mod maps;
pub mod products;
mod projective;
pub mod random;
pub mod steps;
mod tables;
pub mod values;

use crate::clip::Clip;
use crate::dtype::DType;
use crate::grid::{Grid, GridAxis};
use crate::op::Op;
use crate::resample::{Affine, Policy, Resize, Zoom};
use crate::source::Decoding;
use crate::warp::{self, Stage, Warp, Window};
use maps::{AffineMap, GridMap, Map, Size};
use offgraph_kernels::border::Border;
use offgraph_kernels::interpolate::zoom::AxisMap;
use offgraph_kernels::memory::{self, CollectVec};
use products::Products;
use projective::ProjectiveMap;
use random::{Draw, Key};
use std::sync::{Arc, PoisonError, RwLock};
use steps::{Kind, Lowered, Step};
pub use tables::{ResizeKey, Tables, Values};

/// Most axes of an image: one for each letter of `TZYXC`.
const MOST_AXES: usize = 5;

/// Most pixels along an axis that a step makes longer, as in `offgraph/plan/draw.py`.
const MAX_SIDE: usize = 1 << 24;

/// Why a sample is not planned.
#[derive(Debug, Clone, PartialEq)]
pub enum Unplanned {
    /// Only Python can plan it, or say why it cannot be.
    NeedsPython,
    /// Python has to make the weights of a resize along one axis first.
    NeedsWeights(ResizeKey),
    /// Python has to make the operation of the step with this number first, for images of this spec.
    NeedsValues(usize, Spec),
    /// Python has to draw for the step with this number first, for this sample and images of this spec.
    NeedsDraw(usize, Key, Spec),
}

/// Shape, dtype and axes of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spec {
    shape: [usize; MOST_AXES],
    axes: [u8; MOST_AXES],
    ndim: usize,
    /// Type of the elements.
    pub dtype: DType,
}

impl Spec {
    /// A spec, where there are two spatial axes, `Y` and `X`.
    pub fn new(shape: &[usize], dtype: DType, axes: &[u8]) -> Option<Self> {
        let places = [b'Y', b'X'].map(|name| axes.iter().position(|axis| *axis == name));
        let [Some(rows), Some(columns)] = places else { return None };
        if axes.len() != shape.len() || axes.len() > MOST_AXES || rows > columns || axes.contains(&b'Z') {
            return None;
        }
        let mut spec = Self { shape: [0; MOST_AXES], axes: [0; MOST_AXES], ndim: axes.len(), dtype };
        spec.shape[..axes.len()].copy_from_slice(shape);
        spec.axes[..axes.len()].copy_from_slice(axes);
        Some(spec)
    }

    /// Length of every axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape[..self.ndim]
    }

    /// A letter for every axis.
    pub fn axes(&self) -> &[u8] {
        &self.axes[..self.ndim]
    }

    fn places(&self) -> [usize; 2] {
        [b'Y', b'X'].map(|name| self.axes.iter().position(|axis| *axis == name).expect("checked by `new`"))
    }

    /// Lengths of the spatial axes.
    pub fn size(&self) -> Size {
        self.places().map(|place| self.shape[place])
    }

    fn resized(mut self, size: Size) -> Self {
        for (place, length) in self.places().into_iter().zip(size) {
            self.shape[place] = length;
        }
        self
    }

    fn cast(self, dtype: DType) -> Self {
        Self { dtype, ..self }
    }

    /// Pixels, channels not counted.
    fn pixels(&self) -> usize {
        let lengths = self.shape().iter().zip(self.axes()).filter(|(_, name)| **name != b'C');
        lengths.fold(1, |pixels, (length, _)| usize::saturating_mul(pixels, *length))
    }

    /// Bytes of an array.
    pub fn bytes(&self) -> usize {
        self.shape().iter().fold(item_size(self.dtype), |bytes, length| bytes.saturating_mul(*length))
    }
}

/// Bytes of an element.
fn item_size(dtype: DType) -> usize {
    match dtype {
        DType::Bool | DType::U8 | DType::I8 => 1,
        DType::U16 | DType::I16 => 2,
        DType::U32 | DType::I32 | DType::F32 => 4,
        DType::U64 | DType::I64 | DType::F64 => 8,
    }
}

fn is_float(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64)
}

/// Whether an array of this type holds a fill value exactly, as `held_by` of `offgraph/core/specs.py` asks.
fn holds(dtype: DType, value: f64) -> bool {
    let fits = match dtype {
        DType::F32 | DType::F64 => return true,
        DType::Bool => (0.0..=1.0).contains(&value),
        DType::U8 => (0.0..=255.0).contains(&value),
        DType::I8 => (-128.0..=127.0).contains(&value),
        DType::U16 => (0.0..=65535.0).contains(&value),
        DType::I16 => (-32768.0..=32767.0).contains(&value),
        DType::U32 => (0.0..=4_294_967_295.0).contains(&value),
        DType::I32 => (-2_147_483_648.0..=2_147_483_647.0).contains(&value),
        DType::U64 => (0.0..18_446_744_073_709_551_616.0).contains(&value),
        DType::I64 => (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value),
    };
    fits && value.fract() == 0.0
}

/// SciPy's border modes, by name: two of them are one in the core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Mode {
    Nearest,
    Wrap,
    Reflect,
    GridMirror,
    Mirror,
    Constant,
    GridWrap,
    GridConstant,
}

impl Mode {
    /// The mode of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "nearest" => Self::Nearest,
            "wrap" => Self::Wrap,
            "reflect" => Self::Reflect,
            "grid-mirror" => Self::GridMirror,
            "mirror" => Self::Mirror,
            "constant" => Self::Constant,
            "grid-wrap" => Self::GridWrap,
            "grid-constant" => Self::GridConstant,
            _ => return None,
        })
    }

    fn is_constant(self) -> bool {
        matches!(self, Self::Constant | Self::GridConstant)
    }

    fn border(self) -> Border {
        match self {
            Self::Nearest => Border::Nearest,
            Self::Wrap => Border::Wrap,
            Self::Reflect | Self::GridMirror => Border::Reflect,
            Self::Mirror => Border::Mirror,
            Self::Constant => Border::Constant,
            Self::GridWrap => Border::GridWrap,
            Self::GridConstant => Border::GridConstant,
        }
    }
}

/// How pixels are read: `offgraph.geometry.Resampling`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Spline order.
    pub order: usize,
    /// What lies outside.
    pub mode: Mode,
    /// The value of the constant modes.
    pub cval: f64,
}

/// What an operation does, before it is written for the core.
#[derive(Debug, Clone)]
enum Work {
    Grid(GridMap, Rule),
    Resample(AffineMap, Rule, Vec<(Map, Size)>),
    Project(ProjectiveMap, Rule, Vec<(Map, Size)>),
    Zoom(AffineMap, Rule, OnEdges),
    Resize(Resizing),
    /// The step with this number changes each value by itself.
    Pointwise(usize),
    /// The step with this number mixes neighbours.
    Filter(usize),
    /// What a step drew that moves nothing, and whether it changes each value by itself.
    Drawn(Arc<Values>, bool),
}

/// Whether the edges of an image stay edges, and not the centres of its corner pixels.
type OnEdges = bool;

/// A resize to `size`, of which a window is made: its first pixel and length along each axis.
#[derive(Debug, Clone, Copy)]
struct Resizing {
    size: Size,
    window: Option<[(usize, usize); 2]>,
    kernel: u8,
    antialias: bool,
}

/// An operation at its place in a plan.
#[derive(Debug, Clone)]
struct PlannedOp {
    work: Work,
    before: Spec,
    after: Spec,
    /// Whether it must not join the operation before it, whatever that is.
    is_apart: bool,
}

/// What a sample goes through.
#[derive(Debug)]
pub struct Plan {
    /// The operations.
    pub ops: Vec<Op>,
    /// Of the image afterwards.
    pub after: Spec,
    /// Whether it is certain that an image of integers ends in finite values.
    pub is_finite: bool,
}

/// A recipe, and what was computed once for it.
#[derive(Debug)]
pub struct Recipe {
    steps: Vec<Step>,
    is_fused: bool,
    max_pixels: usize,
    products: Products,
    decoding: Decoding,
    tables: RwLock<Tables>,
}

impl Recipe {
    /// A recipe of these steps.
    pub fn new(
        steps: Vec<Step>,
        is_fused: bool,
        max_pixels: usize,
        products: Products,
        decoding: Decoding,
    ) -> Self {
        Self { steps, is_fused, max_pixels, products, decoding, tables: RwLock::default() }
    }

    /// What of a file is decoded for it.
    pub fn decoding(&self) -> Decoding {
        self.decoding
    }

    /// Work out the operations of a sample.
    ///
    /// # Errors
    ///
    /// What Python has to do first, or that it has to do all.
    pub fn plan(&self, key: Key, spec: &Spec) -> Result<Plan, Unplanned> {
        if spec.shape().contains(&0) {
            return Err(Unplanned::NeedsPython);
        }
        let mut ops = memory::with_capacity(self.steps.len());
        let mut before = *spec;
        for (number, step) in self.steps.iter().enumerate() {
            if step.averages && before.dtype == DType::Bool {
                return Err(Unplanned::NeedsPython);
            }
            if step.p < 1.0 && !Draw::new(key, step.chance_address).chance(step.p) {
                continue;
            }
            let (work, after) = match &step.kind {
                Kind::Values { is_filter, .. } => {
                    let after = before.cast(self.read_tables().values(number, step, &before)?.dtype);
                    (if *is_filter { Work::Filter(number) } else { Work::Pointwise(number) }, after)
                }
                Kind::Drawn(drawn) => {
                    let dtype = before.dtype;
                    let values = match drawn.lower(&mut Draw::new(key, step.address), &before) {
                        Some(op) => Arc::new(Values { op: Some(op), dtype, is_finite: false }),
                        None => self.read_tables().drawn(number, key, &before)?,
                    };
                    let after = before.cast(values.dtype);
                    (Work::Drawn(values, drawn.is_pointwise), after)
                }
                _ => {
                    let mut draw = Draw::new(key, step.address);
                    let Lowered { crop, work, size } = step.lower(&mut draw, before.size(), self.products)?;
                    let after = before.resized(size);
                    self.check_memory(&before, &after)?;
                    if let Some(crop) = crop {
                        let cropped = before.resized(crop.output_size);
                        let work = Work::Grid(crop, step.rule);
                        memory::push(&mut ops, PlannedOp { work, before, after: cropped, is_apart: false });
                        before = cropped;
                    }
                    (work, after)
                }
            };
            memory::push(&mut ops, PlannedOp { work, before, after, is_apart: false });
            before = after;
        }
        if self.is_fused {
            ops = fuse::fuse(ops)?;
        }
        self.written(&ops, before)
    }

    /// Leave to Python what it would refuse: more pixels than the limit, or an endless side.
    fn check_memory(&self, before: &Spec, after: &Spec) -> Result<(), Unplanned> {
        let longest = |spec: &Spec| spec.shape().iter().copied().max().unwrap_or(0);
        let (pixels, given, side) = (after.pixels(), before.pixels(), longest(after));
        let is_large = pixels > self.max_pixels || after.bytes() > self.max_pixels.saturating_mul(8);
        let is_refused =
            (pixels > given && is_large) || (side > MAX_SIDE && side > longest(before)) || pixels == 0;
        if after.shape() != before.shape() && is_refused {
            return Err(Unplanned::NeedsPython);
        }
        Ok(())
    }

    fn written(&self, ops: &[PlannedOp], after: Spec) -> Result<Plan, Unplanned> {
        let mut written = memory::with_capacity(ops.len());
        let mut is_finite = !is_float(after.dtype);
        for (number, planned) in ops.iter().enumerate() {
            let op = match &planned.work {
                Work::Pointwise(step) | Work::Filter(step) => {
                    let values = self.read_tables().values(*step, &self.steps[*step], &planned.before)?;
                    is_finite |= number + 1 == ops.len() && values.is_finite;
                    values.copied().ok_or(Unplanned::NeedsPython)?
                }
                Work::Drawn(values, _) => {
                    is_finite |= number + 1 == ops.len() && values.is_finite;
                    values.copied().ok_or(Unplanned::NeedsPython)?
                }
                work => self.moving(work, &planned.before)?,
            };
            memory::push(&mut written, op);
        }
        Ok(Plan { ops: written, after, is_finite })
    }

    /// An operation that moves pixels.
    fn moving(&self, work: &Work, before: &Spec) -> Result<Op, Unplanned> {
        Ok(match work {
            Work::Grid(grid, rule) => {
                if rule.mode.is_constant() && grid.reaches_outside() && !holds(before.dtype, rule.cval) {
                    return Err(Unplanned::NeedsPython);
                }
                let axis = |i: usize| GridAxis {
                    axis: grid.axes[i],
                    flip: grid.flips[i],
                    start: grid.start[i] as isize,
                    len: grid.output_size[i],
                };
                Op::Grid(Grid {
                    axes: [0, 1].into_iter().map(axis).collect_vec(),
                    border: rule.mode.border(),
                    fill: rule.cval,
                })
            }
            Work::Resample(map, rule, clips) => Op::Affine(Affine {
                size: memory::copy(&map.output_size),
                moved: Vec::new(),
                matrix: memory::copy(map.matrix.as_flattened()),
                offset: memory::copy(&map.offset),
                policy: policy(*rule),
                clips: boxes(clips, *rule),
                is_labels: false,
            }),
            Work::Project(map, rule, clips) => {
                let mut windows = memory::with_capacity(clips.len());
                for (map, size) in clips {
                    if let Map::Projective(map) = map {
                        let stages = [pull(map)].into_iter().collect_vec();
                        memory::push(&mut windows, Window { stages, size: memory::copy(size) });
                    }
                }
                let stages = [pull(map), Stage::OnBorder(memory::copy(&map.input_size))];
                Op::Warp(Warp {
                    size: memory::copy(&map.output_size),
                    stages: stages.into_iter().collect_vec(),
                    policy: policy(*rule),
                    clips: boxes(clips, *rule),
                    windows,
                    is_labels: false,
                })
            }
            Work::Zoom(map, rule, on_edges) => {
                let less = if *on_edges { 0.0 } else { 1.0 };
                let axis = |(given, made): (usize, usize)| {
                    let (given, made) = (given as f64 - less, made as f64 - less);
                    let zoom = Some(if made == 0.0 { 1.0 } else { given / made });
                    AxisMap { shift: None, zoom, grid: *on_edges }
                };
                Op::Zoom(Zoom {
                    size: memory::copy(&map.output_size),
                    maps: before.size().into_iter().zip(map.output_size).map(axis).collect_vec(),
                    policy: policy(*rule),
                })
            }
            Work::Resize(resizing) => {
                let size = resizing.window.map_or(resizing.size, |window| window.map(|(_, length)| length));
                let found = self.read_tables().resize(resizing, before.size())?;
                let tables = match found {
                    Some(tables) => tables,
                    None => self.write_tables().keep_resize(resizing, before.size())?,
                };
                let ratio = |(given, made): (usize, usize)| given.checked_div(made).unwrap_or(0);
                let ratios = before.size().into_iter().zip(resizing.size).map(ratio).collect_vec();
                Op::Resize(Resize { size: memory::copy(&size), tables, ratios })
            }
            Work::Pointwise(_) | Work::Filter(_) | Work::Drawn(..) => unreachable!("they move nothing"),
        })
    }

    /// Drop what Python drew for a sample, whose plan is made.
    pub fn forget(&self, key: Key) {
        if self.read_tables().has_drawn(key) {
            self.write_tables().forget(key);
        }
    }

    /// What was computed once.
    pub fn read_tables(&self) -> std::sync::RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, to add to it.
    pub fn write_tables(&self) -> std::sync::RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

/// The rectangles of earlier images to which affine maps lead.
fn boxes(clips: &[(Map, Size)], rule: Rule) -> Vec<Clip> {
    let clip = |map: AffineMap, size: &Size| Clip {
        matrix: memory::copy(map.matrix.as_flattened()),
        offset: memory::copy(&map.offset),
        low: memory::filled(0.0, 2),
        high: size.iter().map(|length| *length as f64 - 1.0).collect_vec(),
        fill: rule.cval,
    };
    clips.iter().filter_map(|(map, size)| map.affine().map(|map| clip(map, size))).collect_vec()
}

fn pull(map: &ProjectiveMap) -> Stage {
    Stage::Map(warp::Map::Projective { matrix: memory::copy(map.matrix.as_flattened()) })
}

fn policy(rule: Rule) -> Policy {
    Policy { order: rule.order, border: rule.mode.border(), fill: rule.cval }
}
