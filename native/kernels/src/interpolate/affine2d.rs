//! Affine maps of order 1 with two spatial axes.
//!
//! Along a row coordinates change by equal steps. So the pixels whose 2 × 2 neighbours all lie inside the image are one
//! interval, found with one division per axis. Pixels outside it are handled individually.

use crate::array::pixels::Pixels;
use crate::array::sample::Sample;
use crate::border::Border;
use crate::exec::simd::dispatch;
use crate::interpolate::bilinear::points::{LinearRow, LocateLinear, Points};
use crate::interpolate::edges::{Edges, SumEdges};
use crate::interpolate::intervals::reaches_last_sample;
use crate::interpolate::linear_coords::LinearCoords;
use crate::interpolate::options::Options;
use crate::walk::rows::{RowMaker, RowWorker};
use std::ops::Range;

/// An image with two spatial axes, and the map from output to input coordinates.
pub(crate) struct Affine2d<'a, T: Sample> {
    pub pixels: &'a Pixels<'a, T>,
    pub matrix: [f64; 4],
    pub offset: [f64; 2],
    pub options: Options,
    /// Pixels per output row.
    pub width: usize,
}

impl<'a, T: Sample> Affine2d<'a, T> {
    /// `None` if this is not such a map, or element offsets would not fit.
    pub fn new(
        pixels: &'a Pixels<'a, T>,
        matrix: &[f64],
        offset: &[f64],
        options: &Options,
        width: usize,
    ) -> Option<Self> {
        let (matrix, offset) = (matrix.try_into().ok()?, offset.try_into().ok()?);
        let fits = pixels.spatial.len() == 2 && pixels.elements().len() <= i32::MAX as usize;
        // Positions rounded up past the end of a row stay below 2^31, too.
        (fits && options.order == 1 && options.pad == 0 && width < 1 << 30).then_some(Self {
            pixels,
            matrix,
            offset,
            options: *options,
            width,
        })
    }

    /// The coordinates of an output row, and which of its pixels are interior.
    pub fn row(&self, row: usize) -> AffineRow {
        let Affine2d { pixels, matrix, offset, options, width } = self;
        let (height, length) = (pixels.spatial[0].0, pixels.spatial[1].0);
        // The offset first, then one addition after another: SciPy's order.
        let coords = |axis: usize| LinearCoords {
            start: offset[axis] + row as f64 * matrix[2 * axis],
            step: matrix[2 * axis + 1],
        };
        let (y, x) = (coords(0), coords(1));
        let cut = |positions: Range<usize>, closed: bool| {
            let on_y = y.inside(positions, height as f64 - 1.0, closed);
            x.inside(on_y, length as f64 - 1.0, closed)
        };
        let numbers = [y.start, y.step, x.start, x.step].iter().all(|number| number.is_finite());
        let is_constant = options.border == Border::Constant && numbers;
        let covered = if is_constant { cut(0..*width, true) } else { 0..*width };
        let inside = if height < 2 || length < 2 {
            0..0
        } else if is_constant {
            covered.clone()
        } else {
            cut(0..*width, reaches_last_sample(T::FINITE, options))
        };
        let inside = if inside.is_empty() { covered.start..covered.start } else { inside };
        AffineRow { y, x, covered, inside }
    }

    /// Locate the neighbours of the points of some rows.
    pub fn locate(&self, rows: &[LinearRow], points: &mut Points) {
        let [(height, down), (length, right)] = self.pixels.spatial[..] else { return };
        dispatch(LocateLinear { rows, lens: [height, length], strides: [down, right], points });
    }

    /// Add the edge pixels of a row whose first pixel has index `first`.
    pub fn add_edges(&self, row: &AffineRow, first: usize, edges: &mut Edges<2>) {
        let AffineRow { y, x, covered, inside } = row;
        for pixel in (covered.start..inside.start).chain(inside.end..covered.end) {
            edges.push(first + pixel, [y.at(pixel), x.at(pixel)], &self.pixels.spatial, &self.options);
        }
    }
}

/// A row of the output: its coordinates, and how its pixels are computed.
pub(crate) struct AffineRow {
    pub y: LinearCoords,
    pub x: LinearCoords,
    /// Pixels outside this range have the fill value.
    pub covered: Range<usize>,
    /// Those of them with all neighbours inside; the others are edge pixels.
    pub inside: Range<usize>,
}

impl AffineRow {
    /// The interior pixels, to be located as points from index `at` on; `None` if there are none.
    pub fn interior_row(&self, at: usize) -> Option<LinearRow> {
        let Self { y, x, inside, .. } = self;
        (!inside.is_empty()).then(|| LinearRow { y: *y, x: *x, positions: inside.clone(), at })
    }
}

impl<T: Sample> RowMaker for Affine2d<'_, T> {
    fn worker(&self) -> Box<dyn RowWorker + '_> {
        Box::new(Affine2dWorker {
            affine: self,
            covered: 0..0,
            inside: 0..0,
            points: Points::new(self.width),
            edges: Edges::new(2),
        })
    }
}

struct Affine2dWorker<'a, T: Sample> {
    affine: &'a Affine2d<'a, T>,
    /// Pixels outside this range have the fill value.
    covered: Range<usize>,
    /// The range that `points` holds, from its first point on.
    inside: Range<usize>,
    points: Points,
    /// The other covered pixels.
    edges: Edges<2>,
}

impl<T: Sample> RowWorker for Affine2dWorker<'_, T> {
    fn start_plane(&mut self, outer: &[usize]) {
        self.affine.pixels.read_ahead(outer);
    }

    fn start(&mut self, row: &[usize]) {
        let row = self.affine.row(row[0]);
        self.affine.locate(row.interior_row(0).as_slice(), &mut self.points);
        self.edges.clear();
        self.affine.add_edges(&row, 0, &mut self.edges);
        (self.covered, self.inside) = (row.covered, row.inside);
    }

    fn fill(&mut self, outer: &[usize], to: &mut [f64]) {
        self.fill_any(outer, to, |start, inside| self.blend(start, inside));
    }

    fn fill_floats(&mut self, outer: &[usize], to: &mut [f32]) -> bool {
        self.fill_any(outer, to, |start, inside| self.blend(start, inside));
        true
    }

    fn fill_bytes(&mut self, outer: &[usize], to: &mut [u8]) -> bool {
        let pixels = self.affine.pixels;
        if !pixels.blends_bytes() {
            return false;
        }
        let points = self.points.part(0..self.inside.len());
        self.fill_any(outer, to, |start, inside| pixels.blend_bytes(start, points, inside));
        true
    }
}

impl<T: Sample> Affine2dWorker<'_, T> {
    fn blend<O: Sample>(&self, start: usize, to: &mut [O]) {
        self.affine.pixels.blend(start, self.points.part(0..self.inside.len()), to);
    }

    /// Fill a row; `blend(start, to)` fills its interior from the plane that begins at `start`.
    fn fill_any<O: Sample>(&self, outer: &[usize], to: &mut [O], blend: impl FnOnce(usize, &mut [O])) {
        let Affine2d { pixels, options, .. } = self.affine;
        let (planes, start) = (pixels.inner.len(), pixels.outer_offset(outer));
        to[..self.covered.start * planes].fill(O::from_f64_rounded(options.fill));
        to[self.covered.end * planes..].fill(O::from_f64_rounded(options.fill));
        blend(start, &mut to[self.inside.start * planes..self.inside.end * planes]);
        if self.edges.len() > 0 {
            let (image, fill) = (*pixels, options.fill);
            dispatch(SumEdges { edges: &self.edges, image, base: start, fill, to });
        }
    }
}
