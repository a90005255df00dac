//! What Python computes once for a recipe: weights of resizes, and operations of steps that move nothing.
//!
//! Weights are kept for each axis: photographs have many sizes, and fewer lengths. Tables of both axes, which keep what
//! the kernel derives from them, are kept for the last few sizes.

use crate::dtype::DType;
use crate::op::Op;
use crate::recipe::maps::Size;
use crate::recipe::random::Key;
use crate::recipe::steps::{Kind, Step};
use crate::recipe::{Resizing, Spec, Unplanned, item_size};
use offgraph_kernels::interpolate::resize::Taps;
use offgraph_kernels::memory;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

/// Most positions of all weights that are kept; beyond, all are dropped.
const MOST_POSITIONS: usize = 1 << 20;

/// Most tables of both axes that are kept.
const MOST_PAIRS: usize = 128;

/// Most operations that are kept; beyond, all are dropped.
const MOST_VALUES: usize = 1024;

/// Most samples whose drawn operations wait to be used; beyond, all are dropped.
const MOST_DRAWN: usize = 4096;

/// What the weights along one axis depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResizeKey {
    /// Length before.
    pub input: usize,
    /// Length after.
    pub output: usize,
    /// Number of the kernel, as Python counts them.
    pub kernel: u8,
    /// Whether the kernel widens when the image shrinks.
    pub antialias: bool,
}

/// What both axes depend on: the weights along each, and the pixels that are made.
type PairKey = ([ResizeKey; 2], [(usize, usize); 2]);

/// The operation of a step that moves nothing, for images of a kind.
#[derive(Debug)]
pub struct Values {
    /// None where only Python can run it, or refuses it.
    pub op: Option<Op>,
    /// Type of its result.
    pub dtype: DType,
    /// Whether it makes finite values of integers.
    pub is_finite: bool,
}

impl Values {
    pub(super) fn copied(&self) -> Option<Op> {
        Some(match self.op.as_ref()? {
            Op::Lookup(lookup) => Op::Lookup(lookup.clone()),
            Op::Arithmetic(arithmetic) => Op::Arithmetic(arithmetic.clone()),
            Op::Filter(filter) => Op::Filter(filter.clone()),
            Op::Image(image) => Op::Image(image.clone()),
            _ => return None,
        })
    }
}

/// What was computed once.
#[derive(Debug, Default)]
pub struct Tables {
    /// None where Python refuses to make them.
    weights: HashMap<ResizeKey, Option<Arc<Taps>>>,
    positions: usize,
    pairs: HashMap<PairKey, Arc<Vec<Taps>>>,
    values: HashMap<(usize, Spec), Arc<Values>>,
    /// Of samples that are being planned: the step, the image that it is given, and what Python drew for it.
    drawn: HashMap<Key, Vec<(usize, Spec, Arc<Values>)>>,
}

impl Tables {
    /// Keep weights along one axis; None where Python refuses to make them.
    pub fn add_weights(&mut self, key: ResizeKey, weights: Option<Arc<Taps>>) {
        self.positions = self.positions.saturating_add(key.output);
        if self.positions > MOST_POSITIONS {
            self.weights.clear();
            self.positions = key.output;
        }
        self.weights.insert(key, weights);
    }

    /// Keep the operation of a step for images of a spec, and of all others of which it is the same.
    pub fn add_values(&mut self, number: usize, step: &Step, spec: &Spec, values: Values) {
        if self.values.len() >= MOST_VALUES {
            self.values.clear();
        }
        self.values.insert((number, kind_of(step, spec)), Arc::new(values));
    }

    pub(super) fn values(&self, number: usize, step: &Step, spec: &Spec) -> Result<Arc<Values>, Unplanned> {
        match self.values.get(&(number, kind_of(step, spec))) {
            None => Err(Unplanned::NeedsValues(number, *spec)),
            Some(values) if values.op.is_none() => Err(Unplanned::NeedsPython),
            Some(values) => Ok(Arc::clone(values)),
        }
    }

    /// Keep what Python drew for a step of a sample, until [`forget`](Self::forget).
    pub fn add_drawn(&mut self, number: usize, key: Key, spec: Spec, values: Values) {
        if self.drawn.len() >= MOST_DRAWN {
            self.drawn.clear();
        }
        let of_key = self.drawn.entry(key).or_default();
        of_key.retain(|(known, given, _)| (*known, given) != (number, &spec));
        memory::push(of_key, (number, spec, Arc::new(values)));
    }

    pub(super) fn drawn(&self, number: usize, key: Key, spec: &Spec) -> Result<Arc<Values>, Unplanned> {
        let of_key = self.drawn.get(&key).map_or(&[][..], Vec::as_slice);
        match of_key.iter().find(|(known, given, _)| (*known, given) == (number, spec)) {
            None => Err(Unplanned::NeedsDraw(number, key, *spec)),
            Some((_, _, values)) if values.op.is_none() => Err(Unplanned::NeedsPython),
            Some((_, _, values)) => Ok(Arc::clone(values)),
        }
    }

    /// Whether anything was drawn for a sample.
    pub(super) fn has_drawn(&self, key: Key) -> bool {
        self.drawn.contains_key(&key)
    }

    /// Drop what was drawn for a sample.
    pub(super) fn forget(&mut self, key: Key) {
        self.drawn.remove(&key);
    }

    pub(super) fn resize(
        &self,
        resizing: &Resizing,
        input: Size,
    ) -> Result<Option<Arc<Vec<Taps>>>, Unplanned> {
        let key = pair_key(resizing, input);
        if let Some(found) = self.pairs.get(&key) {
            return Ok(Some(Arc::clone(found)));
        }
        for axis in key.0 {
            match self.weights.get(&axis) {
                None => return Err(Unplanned::NeedsWeights(axis)),
                Some(None) => return Err(Unplanned::NeedsPython),
                Some(Some(_)) => {}
            }
        }
        Ok(None)
    }

    pub(super) fn keep_resize(
        &mut self,
        resizing: &Resizing,
        input: Size,
    ) -> Result<Arc<Vec<Taps>>, Unplanned> {
        if let Some(found) = self.resize(resizing, input)? {
            return Ok(found);
        }
        let key = pair_key(resizing, input);
        let mut tables = memory::with_capacity(2);
        for (axis, (start, len)) in key.0.iter().zip(key.1) {
            let weights = self.weights.get(axis).and_then(Option::as_ref).ok_or(Unplanned::NeedsPython)?;
            memory::push(&mut tables, weights.window(start, len));
        }
        let tables = Arc::new(tables);
        if self.pairs.len() >= MOST_PAIRS
            && let Some(any) = self.pairs.keys().next().copied()
        {
            self.pairs.remove(&any);
        }
        self.pairs.insert(key, Arc::clone(&tables));
        Ok(tables)
    }
}

fn pair_key(resizing: &Resizing, input: Size) -> PairKey {
    let Resizing { size, window, kernel, antialias } = *resizing;
    let axis = |i: usize| ResizeKey { input: input[i], output: size[i], kernel, antialias };
    ([axis(0), axis(1)], window.unwrap_or(size.map(|length| (0, length))))
}

/// All that the operation of a step depends on. Where that is not the size, what counts of it is whether there are more
/// pixels than values of the dtype: only then does Python make a table of drawn values.
fn kind_of(step: &Step, spec: &Spec) -> Spec {
    let Kind::Values { by_size: false, .. } = step.kind else { return *spec };
    let bytes = item_size(spec.dtype);
    let order = if bytes > 2 { Ordering::Less } else { spec.pixels().cmp(&(1 << (8 * bytes))) };
    spec.resized([order as i8 as u8 as usize, 0])
}
