//! What a target begins with: an array, or an image file that is decoded when its turn comes.
//!
//! Only what the first operations keep is decoded:
//!
//! ```text
//! orientation, flips, turns and crops at the start → one grid map
//! the rectangle of pixels that it names → decoded into a workspace
//! what is left of the map, if anything → the first operation on it
//! ```
//!
//! A resize that follows may be made of fewer pixels, if it was asked for: see `scaled`.

use crate::dtype::{DType, match_pair};
use crate::grid::{Grid, GridAxis};
use crate::op::Op;
use crate::scaled::Scaled;
use crate::workspace::Workspace;
use offgraph_codecs::jpeg::{Scale, Window};
use offgraph_codecs::{ImageFile, Samples};
use offgraph_kernels::array::axes::Axes;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::border::Border;
use offgraph_kernels::error::{KernelError, Result};
use offgraph_kernels::memory::{self, CollectVec};
use std::ops::Range;

/// What a target reads.
#[derive(Debug)]
pub enum Source<'a> {
    /// An array with the axes `[outer…, spatial…, inner…]`.
    Array(View<'a>),
    /// An image file, upright, with the axes `[row, column]`, and channels if it has several.
    File(FileImage<'a>),
}

/// What of a file is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decoding {
    /// The pixels that the first operations keep.
    #[default]
    Window,
    /// All pixels.
    Full,
    /// As `Window`, and no more of a JPEG's frequencies than the resize shows that its operations begin with.
    Scaled,
}

/// The image of a file, and how its colours are stored.
#[derive(Debug, Clone, Copy)]
pub struct FileImage<'a> {
    /// The file.
    pub file: &'a ImageFile,
    /// Whether grey is repeated for red, green and blue.
    pub is_rgb: bool,
    /// What of it is decoded.
    pub decoding: Decoding,
}

impl FileImage<'_> {
    /// Decode what is left of the upright image after the grid maps that `ops` begin with, and after the resize that
    /// follows them if it was made of fewer pixels. Returns how many operations these are.
    pub fn decode(&self, ops: &[Op]) -> Result<(Workspace, usize)> {
        let (height, width) = self.file.size();
        let ops = if self.decoding == Decoding::Full { &[] } else { ops };
        let (grid, count) =
            leading_grid(upright([height, width], self.file.orientation()), [height, width], ops);
        if let (Decoding::Scaled, Some(Op::Resize(resize))) = (self.decoding, ops.get(count)) {
            let grid = grid.clone().unwrap_or_else(|| whole([height, width]));
            if let Some(scaled) = Scaled::new(self.file, &grid, resize) {
                return Ok((self.resized(&scaled)?, count + 1));
            }
        }
        let window = |axis: usize, len: usize| {
            let map = grid.as_ref().and_then(|grid| grid.axes.iter().find(|map| map.axis == axis));
            map.map_or(0..len, GridAxis::reads)
        };
        let (rows, columns) = (window(0, height), window(1, width));
        let decoded = self.decode_window(Scale::Full, rows.clone(), columns.clone())?;
        let Some(mut grid) = grid.filter(|grid| !is_crop(grid)) else { return Ok((decoded, count)) };
        for map in &mut grid.axes {
            map.start -= [rows.start, columns.start][map.axis] as isize;
        }
        let mut shape = memory::copy(decoded.view().shape());
        for (len, map) in shape.iter_mut().zip(&grid.axes) {
            *len = map.len;
        }
        let mut moved = Workspace::new(self.dtype(), &shape);
        grid.run(&decoded.view(), moved.view_mut(), Axes { outer: 0, spatial: 2 })?;
        Ok((moved, count))
    }

    /// The type of its samples.
    fn dtype(&self) -> DType {
        if self.file.depth() == 16 { DType::U16 } else { DType::U8 }
    }

    /// The result of a resize that reads scaled pixels.
    fn resized(&self, scaled: &Scaled) -> Result<Workspace> {
        let Window { rows, columns } = scaled.window.clone();
        let decoded = self.decode_window(scaled.scale, rows, columns)?;
        let axes = Axes { outer: 0, spatial: 2 };
        let along = |sizes: [usize; 2]| {
            let mut shape = memory::copy(decoded.view().shape());
            shape[..2].copy_from_slice(&sizes);
            Workspace::new(DType::U8, &shape)
        };
        let moved = if is_crop(&scaled.grid) {
            None
        } else {
            let [rows, columns] = [scaled.grid.axes[0].len, scaled.grid.axes[1].len];
            let mut moved = along([rows, columns]);
            scaled.grid.run(&decoded.view(), moved.view_mut(), axes)?;
            Some(moved)
        };
        let mut result = along([scaled.resize.size[0], scaled.resize.size[1]]);
        let input = moved.as_ref().unwrap_or(&decoded);
        scaled.resize.run(&input.view(), result.view_mut(), axes)?;
        Ok(result)
    }

    fn decode_window(&self, scale: Scale, rows: Range<usize>, columns: Range<usize>) -> Result<Workspace> {
        let stored = self.file.channels();
        let size = [rows.len(), columns.len()];
        let decoded = if stored == 1 {
            let mut grey = Workspace::new(self.dtype(), &size);
            self.fill(scale, Window { rows, columns }, &mut grey)?;
            grey
        } else {
            let mut colours = Workspace::new(self.dtype(), &[size[0], size[1], stored]);
            self.fill(scale, Window { rows, columns }, &mut colours)?;
            colours
        };
        if stored == 1 && self.is_rgb { repeated(&decoded, size) } else { Ok(decoded) }
    }

    fn fill(&self, scale: Scale, window: Window, workspace: &mut Workspace) -> Result<()> {
        let pixels = match workspace.view_mut() {
            ViewMut::U8(pixels) => pixels.into_slice().map(Samples::U8),
            ViewMut::U16(pixels) => pixels.into_slice().map(Samples::U16),
            _ => None,
        };
        let pixels = pixels.expect("made of 8 or 16 bits, in C order");
        let decoded = self.file.decode_scaled(scale, window, pixels);
        decoded.map_err(|refused| KernelError::parameter(refused.0))
    }
}

/// Grey as red, green and blue.
fn repeated(grey: &Workspace, size: [usize; 2]) -> Result<Workspace> {
    let mut colours = Workspace::new(DType::of(&grey.view()), &[size[0], size[1], 3]);
    match_pair!(grey.view(), colours.view_mut(), (from, to) => {
        let (from, mut to) = (from, to);
        let from = from.as_slice().expect("workspaces are in C order");
        let (to, _) = to.as_slice_mut().expect("workspaces are in C order").as_chunks_mut::<3>();
        for (to, from) in to.iter_mut().zip(from) {
            *to = [*from; 3];
        }
    }, _ => unreachable!("made of one type"));
    Ok(colours)
}

/// The map that turns a stored image upright, as `upright` of `offgraph/formats/exif.py`; `None` if it is.
fn upright(size: [usize; 2], orientation: u8) -> Option<Grid> {
    let (axes, flips) = match orientation {
        2 => ([0, 1], [false, true]),
        3 => ([0, 1], [true, true]),
        4 => ([0, 1], [true, false]),
        5 => ([1, 0], [false, false]),
        6 => ([1, 0], [false, true]),
        7 => ([1, 0], [true, true]),
        8 => ([1, 0], [true, false]),
        _ => return None,
    };
    let axis = |place: usize| {
        let (len, flip) = (size[axes[place]], flips[place]);
        GridAxis { axis: axes[place], flip, start: if flip { len as isize - 1 } else { 0 }, len }
    };
    Some(Grid { axes: [axis(0), axis(1)].into_iter().collect_vec(), border: Border::Constant, fill: 0.0 })
}

/// The map that moves nothing.
fn whole(size: [usize; 2]) -> Grid {
    let axis = |axis: usize| GridAxis { axis, flip: false, start: 0, len: size[axis] };
    Grid { axes: [axis(0), axis(1)].into_iter().collect_vec(), border: Border::Constant, fill: 0.0 }
}

/// A first grid map and those that operations begin with as one, and how many the latter are. Those that reach over a
/// border, and those that leave nothing, end them.
fn leading_grid(first: Option<Grid>, size: [usize; 2], ops: &[Op]) -> (Option<Grid>, usize) {
    let mut size = first.as_ref().map_or(size, |grid| [grid.axes[0].len, grid.axes[1].len]);
    let mut joined = first;
    for (count, op) in ops.iter().enumerate() {
        let Op::Grid(grid) = op else { return (joined, count) };
        if !grid.stays_inside(&size) {
            return (joined, count);
        }
        size = [grid.axes[0].len, grid.axes[1].len];
        joined = Some(joined.map_or_else(|| grid.clone(), |before| before.then(grid)));
    }
    (joined, ops.len())
}

/// Whether a map only cuts a rectangle out.
fn is_crop(grid: &Grid) -> bool {
    grid.axes.iter().enumerate().all(|(place, map)| map.axis == place && (!map.flip || map.len == 1))
}
