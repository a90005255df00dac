//! Neighbouring operations that move pixels, joined into one: the mirror of `offgraph/plan/fuse.py`, which says why.

use crate::recipe::maps::{Map, Size};
use crate::recipe::{Mode, PlannedOp, Resizing, Rule, Spec, Unplanned, Work, holds, is_float};
use offgraph_kernels::memory;

impl Work {
    /// The map of an operation that may join others, and how it reads.
    fn joining(&self) -> Option<(Map, Rule)> {
        match self {
            Self::Grid(grid, rule) => Some((Map::Grid(*grid), *rule)),
            Self::Resample(map, rule, _) | Self::Zoom(map, rule, _) => Some((Map::Affine(*map), *rule)),
            Self::Project(map, rule, _) => Some((Map::Projective(*map), *rule)),
            Self::Resize(_) | Self::Pointwise(_) | Self::Filter(_) | Self::Drawn(..) => None,
        }
    }

    fn moves(&self) -> bool {
        !matches!(self, Self::Pointwise(_) | Self::Filter(_) | Self::Drawn(..))
    }

    /// Whether it changes each value by itself.
    fn is_pointwise(&self) -> bool {
        matches!(self, Self::Pointwise(_) | Self::Drawn(_, true))
    }

    /// Whether it copies whole pixels that are all there.
    fn is_inside(&self) -> bool {
        matches!(self, Self::Grid(grid, _) if !grid.reaches_outside())
    }
}

/// Join operations.
pub fn fuse(ops: Vec<PlannedOp>) -> Result<Vec<PlannedOp>, Unplanned> {
    let crops_after_values = ops
        .iter()
        .zip(ops.iter().skip(1))
        .any(|(before, after)| before.work.is_pointwise() && after.work.is_inside());
    if ops.iter().filter(|planned| planned.work.moves()).count() < 2 && !crops_after_values {
        return Ok(ops);
    }
    let mut fused = memory::with_capacity(ops.len());
    let mut open: Option<Group> = None;
    for planned in crops_first(ops) {
        let joining = planned.work.joining();
        if let Some(mut group) = open.take() {
            match joining {
                Some((map, rule)) if !planned.is_apart && group.takes(&planned.work, &map, rule) => {
                    group.join(planned, &map, rule)?;
                    open = Some(group);
                    continue;
                }
                _ => memory::push(&mut fused, group.into_op()),
            }
        }
        match joining {
            Some((map, rule)) => open = Some(Group::new(planned, map, rule)),
            None => memory::push(&mut fused, planned),
        }
    }
    if let Some(group) = open {
        memory::push(&mut fused, group.into_op());
    }
    Ok(fused)
}

/// Move copies of whole pixels in front of pointwise operations, and crops into the resize before them.
fn crops_first(ops: Vec<PlannedOp>) -> Vec<PlannedOp> {
    let mut moved: Vec<PlannedOp> = memory::with_capacity(ops.len());
    for mut planned in ops {
        if !planned.work.is_inside() {
            memory::push(&mut moved, planned);
            continue;
        }
        let first = moved.iter().rposition(|each| !each.work.is_pointwise()).map_or(0, |at| at + 1);
        let mut later = memory::with_capacity(moved.len() - first);
        memory::extend(&mut later, moved.drain(first..));
        let size = planned.after.size();
        if let Some(PlannedOp { before, .. }) = later.first() {
            planned.before = *before;
            planned.after = before.resized(size);
            // A dataset may store what is given to the step that makes floats of integers.
            planned.is_apart =
                later.iter().any(|each| is_float(each.after.dtype) && !is_float(each.before.dtype));
        }
        if !moved.last_mut().is_some_and(|last| take_window(last, &planned)) {
            memory::push(&mut moved, planned);
        }
        for mut each in later {
            each.before = each.before.resized(size);
            each.after = each.after.resized(size);
            memory::push(&mut moved, each);
        }
    }
    moved
}

/// Let a resize make only what the crop after it keeps; false for anything else.
fn take_window(resized: &mut PlannedOp, cropped: &PlannedOp) -> bool {
    let (Work::Resize(resizing), Work::Grid(grid, _)) = (&mut resized.work, &cropped.work) else {
        return false;
    };
    if grid.axes != [0, 1] || grid.flips != [false; 2] || grid.output_size.contains(&0) {
        return false;
    }
    let Resizing { size, window, .. } = *resizing;
    let window = window.unwrap_or(size.map(|length| (0, length)));
    resizing.window =
        Some([0, 1].map(|i: usize| (window[i].0 + grid.start[i] as usize, grid.output_size[i])));
    resized.after = cropped.after;
    true
}

/// Operations that become one.
struct Group {
    /// Its first operation, alone so far; None when others have joined.
    alone: Option<PlannedOp>,
    before: Spec,
    after: Spec,
    /// From the last output to the group's input.
    map: Map,
    /// Of its resampling operations; None while it only copies whole pixels.
    rule: Option<Rule>,
    /// What it reads outside its input; None while it can read nothing outside.
    border: Option<Rule>,
    /// Rectangles of images inside the group, each with the map from the last output to it.
    clips: Vec<(Map, Size)>,
}

impl Group {
    fn new(first: PlannedOp, map: Map, rule: Rule) -> Self {
        Self {
            before: first.before,
            after: first.after,
            map,
            rule: (!matches!(first.work, Work::Grid(..))).then_some(rule),
            border: (!first.work.is_inside()).then_some(rule),
            clips: Vec::new(),
            alone: Some(first),
        }
    }

    /// Whether an operation can join.
    fn takes(&self, work: &Work, map: &Map, rule: Rule) -> bool {
        if work.is_inside() {
            return true;
        }
        let copied = match (&self.map, self.rule) {
            (Map::Grid(grid), None) => Some(grid),
            _ => None,
        };
        if !matches!(work, Work::Grid(..)) {
            let other_order = self.rule.is_some_and(|own| own.order != rule.order);
            let of_a_copy = copied
                .is_some_and(|grid| matches!(work, Work::Zoom(..)) || (rule.order > 1 && !grid.shows(false)));
            if other_order || of_a_copy {
                return false;
            }
        }
        if map.reads_inside() {
            return true;
        }
        let is_constant = rule.mode == Mode::Constant;
        let has_other_border = self.border.is_some_and(|border| {
            rule.mode != border.mode || (rule.mode.is_constant() && rule.cval != border.cval)
        });
        if has_other_border {
            return false;
        }
        match copied {
            Some(grid) => grid.shows(!is_constant),
            None => is_constant,
        }
    }

    fn join(&mut self, planned: PlannedOp, map: &Map, rule: Rule) -> Result<(), Unplanned> {
        let is_inside = planned.work.is_inside();
        for (clip, _) in &mut self.clips {
            *clip = clip.then(map)?;
        }
        if !(is_inside || self.rule.is_none() || map.reads_inside()) {
            memory::push(&mut self.clips, (*map, self.map.output_size()));
        }
        self.map = self.map.then(map)?;
        if !matches!(planned.work, Work::Grid(..)) && self.rule.is_none() {
            self.rule = Some(rule);
        }
        if !is_inside && self.border.is_none() {
            self.border = Some(rule);
        }
        self.after = planned.after;
        self.alone = None;
        Ok(())
    }

    fn into_op(self) -> PlannedOp {
        let work = self.work();
        let Self { alone, before, after, .. } = self;
        alone.unwrap_or(PlannedOp { work, before, after, is_apart: false })
    }

    fn work(&self) -> Work {
        let border = self.border.unwrap_or(Rule { order: 0, mode: Mode::Constant, cval: 0.0 });
        let (rule, map) = match (self.rule, &self.map) {
            (None, Map::Grid(grid)) => return Work::Grid(*grid, border),
            (rule, map) => (rule.unwrap_or(border), map),
        };
        let rule = Rule { order: rule.order, ..border };
        let mut clips: Vec<(Map, Size)> = memory::with_capacity(self.clips.len());
        memory::extend(&mut clips, self.clips.iter().filter(|(map, _)| !map.reads_inside()).copied());
        let whole = map.whole_pixels();
        if let Some(grid) = whole.filter(|_| clips.is_empty())
            && (!grid.reaches_outside() || self.can_hold(rule))
        {
            return Work::Grid(grid, rule);
        }
        match (whole.map(|grid| grid.affine()).or(map.affine()), map) {
            (Some(affine), _) => Work::Resample(affine, rule, clips),
            (None, map) => Work::Project(map.projective(), rule, clips),
        }
    }

    /// Whether the image's dtype holds the fill value, as a copy demands; a resampling casts it.
    fn can_hold(&self, rule: Rule) -> bool {
        holds(self.before.dtype, rule.cval) || !rule.mode.is_constant()
    }
}
