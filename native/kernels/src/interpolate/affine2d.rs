//! Affine maps of order 1 in a plane of two axes.
//!
//! The coordinates of a row rise or fall by equal steps, so that the pixels whose two by two neighbours all lie inside
//! the image are one interval, found by a division an axis. Before and behind it each pixel is taken for itself.

mod small;

use crate::array::sample::Sample;
use crate::border::Border;
use crate::exec::simd::dispatch;
use crate::interpolate::bilinear::{LocateOnRamps, Points, Ramps};
use crate::interpolate::linear_coords::Ramp;
use crate::interpolate::warp::edges::{Edges, SumEdges};
use crate::interpolate::warp::{Options, blends_to_the_end};
use crate::walk::rows::{Pixels, RowMaker, RowWorker};
pub(crate) use small::Small;
use std::ops::Range;

/// An image of two spatial axes, and the map from positions of the output to its own.
pub(crate) struct Flat<'a, T: Sample> {
    pixels: &'a Pixels<'a, T>,
    matrix: [f64; 4],
    offset: [f64; 2],
    options: Options,
    /// Pixels of a row of the output.
    width: usize,
}

impl<'a, T: Sample> Flat<'a, T> {
    /// `None` if this is not such a map, or the image is too large for the offsets of its elements.
    pub fn new(
        pixels: &'a Pixels<'a, T>,
        matrix: &[f64],
        offset: &[f64],
        options: &Options,
        width: usize,
    ) -> Option<Self> {
        let (matrix, offset) = (matrix.try_into().ok()?, offset.try_into().ok()?);
        let fits = pixels.spatial.len() == 2 && pixels.elements().len() <= i32::MAX as usize;
        // Positions behind the last of a row stay below 2^31 too.
        (fits && options.order == 1 && options.pad == 0 && width < 1 << 30).then_some(Self {
            pixels,
            matrix,
            offset,
            options: *options,
            width,
        })
    }

    /// Which pixels of a row of the output lie where.
    fn row(&self, row: usize) -> Row {
        let Flat { pixels, matrix, offset, options, width } = self;
        let (height, length) = (pixels.spatial[0].0, pixels.spatial[1].0);
        // One addition after another, the offset first: SciPy's order.
        let ramp = |axis: usize| Ramp {
            start: offset[axis] + row as f64 * matrix[2 * axis],
            step: matrix[2 * axis + 1],
        };
        let (y, x) = (ramp(0), ramp(1));
        let cut = |positions: Range<usize>, closed: bool| {
            let on_y = y.inside(positions, height as f64 - 1.0, closed);
            x.inside(on_y, length as f64 - 1.0, closed)
        };
        let numbers = [y.start, y.step, x.start, x.step].iter().all(|number| number.is_finite());
        let is_constant = options.border == Border::Constant && numbers;
        let alive = if is_constant { cut(0..*width, true) } else { 0..*width };
        let inside = if height < 2 || length < 2 {
            0..0
        } else if is_constant {
            alive.clone()
        } else {
            cut(0..*width, blends_to_the_end(T::FINITE, options))
        };
        let inside = if inside.is_empty() { alive.start..alive.start } else { inside };
        Row { y, x, alive, inside }
    }

    /// Find the neighbours of points of some rows.
    fn locate(&self, rows: &[Ramps], points: &mut Points) {
        let [(height, down), (length, right)] = self.pixels.spatial[..] else { return };
        dispatch(LocateOnRamps { rows, lens: [height, length], strides: [down, right], points });
    }

    /// Add what lies at an edge of a row, whose first pixel has this number.
    fn add_edges(&self, row: &Row, first: usize, edges: &mut Edges<2>) {
        let Row { y, x, alive, inside } = row;
        for pixel in (alive.start..inside.start).chain(inside.end..alive.end) {
            edges.push(first + pixel, [y.at(pixel), x.at(pixel)], &self.pixels.spatial, &self.options);
        }
    }
}

/// A row of the output: its coordinates, and which of its pixels lie where.
struct Row {
    y: Ramp,
    x: Ramp,
    /// Beyond them there is nothing but the fill value.
    alive: Range<usize>,
    /// Those of them whose neighbours lie inside; the others lie at an edge.
    inside: Range<usize>,
}

impl Row {
    /// What lies inside, to be located from the point `at` on; `None` if nothing does.
    fn ramps(&self, at: usize) -> Option<Ramps> {
        let Self { y, x, inside, .. } = self;
        (!inside.is_empty()).then(|| Ramps { y: *y, x: *x, positions: inside.clone(), at })
    }
}

impl<T: Sample> RowMaker for Flat<'_, T> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(FlatWorker {
            flat: self,
            alive: 0..0,
            inside: 0..0,
            points: Points::new(self.width),
            edges: Edges::new(2),
        })
    }
}

struct FlatWorker<'a, T: Sample> {
    flat: &'a Flat<'a, T>,
    /// The pixels of the row beyond which there is nothing but the fill value.
    alive: Range<usize>,
    /// Those of them that `points` serves, from its beginning on.
    inside: Range<usize>,
    points: Points,
    /// The others.
    edges: Edges<2>,
}

impl<T: Sample> RowWorker for FlatWorker<'_, T> {
    fn start_plane(&mut self, outer: &[usize]) {
        self.flat.pixels.read_ahead(outer);
    }

    fn start(&mut self, row: &[usize]) {
        let row = self.flat.row(row[0]);
        self.flat.locate(row.ramps(0).as_slice(), &mut self.points);
        self.edges.clear();
        self.flat.add_edges(&row, 0, &mut self.edges);
        (self.alive, self.inside) = (row.alive, row.inside);
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        self.fill_any(outer, to, |start, inside| self.blend(start, inside));
    }

    fn fill_floats(&mut self, outer: &[usize], to: &mut [f32]) -> bool {
        self.fill_any(outer, to, |start, inside| self.blend(start, inside));
        true
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        let pixels = self.flat.pixels;
        if !pixels.blends_bytes() {
            return false;
        }
        let points = self.points.part(0..self.inside.len());
        self.fill_any(outer, to, |start, inside| pixels.blend_bytes(start, points, inside));
        true
    }
}

impl<T: Sample> FlatWorker<'_, T> {
    fn blend<O: Sample>(&self, start: usize, to: &mut [O]) {
        self.flat.pixels.blend(start, self.points.part(0..self.inside.len()), to);
    }

    /// Fill a row: what lies inside by `blend`, from the first element of a plane on.
    fn fill_any<O: Sample>(&self, outer: &[usize], to: &mut [O], blend: impl FnOnce(usize, &mut [O])) {
        let Flat { pixels, options, .. } = self.flat;
        let (planes, start) = (pixels.inner.len(), pixels.outer_offset(outer));
        to[..self.alive.start * planes].fill(O::from_f64_rounded(options.fill));
        to[self.alive.end * planes..].fill(O::from_f64_rounded(options.fill));
        blend(start, &mut to[self.inside.start * planes..self.inside.end * planes]);
        if self.edges.len() > 0 {
            let (image, fill) = (*pixels, options.fill);
            dispatch(SumEdges { edges: &self.edges, image, base: start, fill, to });
        }
    }
}
