//! JPEG, to libjpeg-turbo's bytes: accurate integer cosine transform, smooth colour upsampling.
//!
//! ```text
//! header::Tables::read          markers, and what is accepted
//! scan::Scan::decode_row        for each row of MCUs: bits → coefficients → samples, in strips
//! Rows::emit                    strips → colour at full resolution → pixels
//! ```
//!
//! A window is decoded with a margin of one colour sample on each side, so that each pixel sees the neighbours it has in
//! the full image. Codes have no addresses, so MCUs before the window are passed over code by code; those after its last
//! row are not decoded.
//!
//! An image may be decoded at a half, a quarter or an eighth of its size: each block's lowest frequencies alone are
//! transformed, to fewer samples (`scaled_idct`). Colours with half the samples both ways are transformed to twice as many
//! per block, and so need no upsampling.

mod bits;
mod color;
mod header;
mod huffman;
mod idct;
mod scaled_idct;
mod scan;
mod transpose;
mod upsample;

pub use header::{Header, Sampling, read_header};

use crate::Refused;
use crate::exec::dispatch;
use bits::Source;
use header::Tables;
use offgraph_kernels::exec::simd::Kernel;
use offgraph_kernels::memory;
use scan::{ComponentTables, Scan, Strip};
use std::ops::Range;

/// Coefficients per side of a block.
const BLOCK: usize = 8;
/// Workspaces for coded data beyond this many bytes are freed after their file.
const KEPT_BYTES: usize = 16 << 20;

/// By how much the sides of a decoded image are divided, rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// By one.
    #[default]
    Full,
    /// By two.
    Half,
    /// By four.
    Quarter,
    /// By eight.
    Eighth,
}

impl Scale {
    /// The divisor.
    pub fn divisor(self) -> usize {
        match self {
            Self::Full => 1,
            Self::Half => 2,
            Self::Quarter => 4,
            Self::Eighth => 8,
        }
    }
}

/// A rectangle of pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its rows.
    pub rows: Range<usize>,
    /// Its columns.
    pub columns: Range<usize>,
}

impl Window {
    /// All pixels of an image.
    pub fn whole(header: &Header) -> Self {
        Self { rows: 0..header.height, columns: 0..header.width }
    }

    /// Pixels in the window.
    pub fn pixels(&self) -> usize {
        self.rows.len().saturating_mul(self.columns.len())
    }
}

/// Decodes files one after another, and keeps its tables and workspaces between them.
///
/// The workspaces take as many bytes as the file, and a few for each pixel of a row of MCUs.
#[derive(Default)]
pub struct Decoder {
    tables: [ComponentTables; 3],
    coded: Vec<u8>,
    strips: [Strip; 3],
    upsampled: Upsampled,
}

/// Rows of colour at full resolution, and what they are made of.
#[derive(Default)]
struct Upsampled {
    padded: Vec<u16>,
    rows: [Vec<u8>; 2],
}

impl Decoder {
    /// Decode an image into `out`, an array (height, width, channels) in C order.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the file is not decoded here, or `out` has another size; `out` may have been written to.
    pub fn decode(&mut self, data: &[u8], out: &mut [u8]) -> Result<(), Refused> {
        let tables = Tables::read(data)?;
        self.run(data, &tables, Scale::Full, Window::whole(&tables.header), out)
    }

    /// Decode the pixels of a window, equal to those of [`Self::decode`].
    ///
    /// What lies below the window is not decoded: the file is refused if it ends early, but damage there may go
    /// unnoticed.
    ///
    /// # Errors
    ///
    /// As for [`Self::decode`], and [`Refused`] if the window is empty or reaches out of the image.
    pub fn decode_window(&mut self, data: &[u8], window: Window, out: &mut [u8]) -> Result<(), Refused> {
        let tables = Tables::read(data)?;
        self.run(data, &tables, Scale::Full, window, out)
    }

    /// Decode a window of the image at another scale, to libjpeg-turbo's bytes.
    ///
    /// # Errors
    ///
    /// As for [`Self::decode_window`], whose image is the scaled one, and [`Refused`] where colours sampled 4:2:2 would be
    /// scaled to an eighth.
    pub fn decode_scaled(
        &mut self,
        data: &[u8],
        scale: Scale,
        window: Window,
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let tables = Tables::read(data)?;
        if !tables.header.has_scale(scale) {
            return Err(Refused("it is not decoded at this scale"));
        }
        self.run(data, &tables, scale, window, out)
    }

    fn run(
        &mut self,
        data: &[u8],
        file: &Tables,
        scale: Scale,
        window: Window,
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let (height, width) = file.header.scaled_size(scale);
        let inside = window.rows.end <= height && window.columns.end <= width;
        if !inside || window.rows.is_empty() || window.columns.is_empty() {
            return Err(Refused("the window is empty, or not inside the image"));
        }
        let sampling = file.header.sampling;
        let channels = sampling.channels();
        if window.pixels().checked_mul(channels) != Some(out.len()) {
            return Err(Refused("the output has another size than the image"));
        }
        let layout = Layout::new(&file.header, scale, window);
        for component in 0..channels {
            self.tables[component].fill(file, component, layout.side(component));
            let (down, across) = if component == 0 { layout.sampling.blocks() } else { (1, 1) };
            let strip = &mut self.strips[component];
            strip.stride = layout.mcu_columns.len() * across * layout.colour_side;
            grow(&mut strip.samples, (1 + down * layout.colour_side) * strip.stride);
        }
        if layout.is_upsampled() {
            let samples = self.strips[1].stride;
            grow(&mut self.upsampled.padded, samples + 2);
            self.upsampled.rows.iter_mut().for_each(|row| grow(row, 2 * samples));
        }
        let result = self.decode_rows(data, file, &layout, out);
        if self.coded.len() > KEPT_BYTES {
            self.coded = Vec::new();
        }
        result
    }

    fn decode_rows(
        &mut self,
        data: &[u8],
        file: &Tables,
        layout: &Layout,
        out: &mut [u8],
    ) -> Result<(), Refused> {
        let channels = file.header.sampling.channels();
        let strips = &mut self.strips[..channels];
        let source = Source::new(data, file.data_start, &mut self.coded);
        let tables = &self.tables[..channels];
        let mut scan = Scan::new(source, tables, file.restart_interval, layout.mcus_per_row)?;
        for _ in 0..layout.mcu_rows.start {
            scan.decode_row(0..0, strips)?;
        }
        for mcu_row in layout.mcu_rows.clone() {
            scan.decode_row(layout.mcu_columns.clone(), strips)?;
            dispatch(Emit { layout, mcu_row, strips, upsampled: &mut self.upsampled, out });
            for strip in strips.iter_mut() {
                let last = strip.samples.len() - strip.stride;
                strip.samples.copy_within(last.., 0);
            }
        }
        match layout.rows_of_mcus - layout.mcu_rows.end {
            0 => scan.finish(),
            rows => scan.abandon(rows * layout.mcus_per_row),
        }
    }
}

fn grow<T: Default + Clone>(workspace: &mut Vec<T>, len: usize) {
    memory::resize(workspace, len, T::default());
}

/// Where a window lies among the MCUs of an image.
struct Layout {
    /// Of the samples that the blocks are transformed to.
    sampling: Sampling,
    /// Samples per side of a block of luminance, and of one of colour; of an image in grey, both are the same.
    luminance_side: usize,
    colour_side: usize,
    window: Window,
    /// MCUs that are decoded.
    mcu_rows: Range<usize>,
    mcu_columns: Range<usize>,
    mcus_per_row: usize,
    rows_of_mcus: usize,
    /// Rows and columns of colour samples in the image, not counting those that fill the last MCU.
    colour_size: (usize, usize),
}

impl Layout {
    fn new(header: &Header, scale: Scale, window: Window) -> Self {
        let luminance_side = BLOCK / scale.divisor();
        let (sampling, colour_side) = match (header.sampling, scale) {
            (Sampling::HalfBoth, Scale::Half | Scale::Quarter | Scale::Eighth) => {
                (Sampling::Full, 2 * luminance_side)
            }
            (sampling, _) => (sampling, luminance_side),
        };
        let (height, width) = header.scaled_size(scale);
        let (down, across) = sampling.blocks();
        let (mcu_rows, rows_of_mcus) = mcu_range(&window.rows, height, down, colour_side);
        let (mcu_columns, mcus_per_row) = mcu_range(&window.columns, width, across, colour_side);
        let colour_size = (height.div_ceil(down), width.div_ceil(across));
        Self {
            sampling,
            luminance_side,
            colour_side,
            window,
            mcu_rows,
            mcu_columns,
            mcus_per_row,
            rows_of_mcus,
            colour_size,
        }
    }

    /// Samples per side of a block.
    fn side(&self, component: usize) -> usize {
        if component == 0 { self.luminance_side } else { self.colour_side }
    }

    fn is_upsampled(&self) -> bool {
        matches!(self.sampling, Sampling::HalfWidth | Sampling::HalfBoth)
    }

    /// The first column of pixels in a strip.
    fn first_column(&self) -> usize {
        self.mcu_columns.start * self.sampling.blocks().1 * self.colour_side
    }
}

/// The MCUs that pixels need along an axis, and how many the image has. With `factor` 2 colour has half the samples, and
/// that before and that after the pixels' own are needed too. An MCU has `side` of them.
fn mcu_range(pixels: &Range<usize>, len: usize, factor: usize, side: usize) -> (Range<usize>, usize) {
    let margin = if factor == 1 { 0 } else { 1 };
    let samples = len.div_ceil(factor);
    let first = (pixels.start / factor).saturating_sub(margin);
    let last = ((pixels.end - 1) / factor + margin).min(samples - 1);
    (first / side..last / side + 1, samples.div_ceil(side))
}

/// Turn the strips of a row of MCUs into pixels.
///
/// With half the rows of colour, the last row of pixels needs colour of the next strip: it is made with that strip.
struct Emit<'a> {
    layout: &'a Layout,
    mcu_row: usize,
    strips: &'a [Strip],
    upsampled: &'a mut Upsampled,
    out: &'a mut [u8],
}

impl Kernel for Emit<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { layout, mcu_row, strips, upsampled, out } = self;
        let (down, _) = layout.sampling.blocks();
        let window = &layout.window;
        let height = down * layout.colour_side;
        let first = mcu_row * height;
        let delayed = down - 1;
        let end = if mcu_row + 1 == layout.rows_of_mcus { first + height } else { first + height - delayed };
        let start = first.saturating_sub(delayed).max(window.rows.start);
        let width = window.columns.len();
        let offset = window.columns.start - layout.first_column();
        for y in start..end.min(window.rows.end) {
            let channels = layout.sampling.channels();
            let out = &mut out[(y - window.rows.start) * width * channels..][..width * channels];
            // Row 0 of a strip is the last one of the strip before.
            let row = |component: usize, y: usize| {
                let Strip { samples, stride } = &strips[component];
                &samples[y * stride..][..*stride]
            };
            let luminance = &row(0, y + 1 - first)[offset..][..width];
            if layout.sampling == Sampling::Grey {
                out.copy_from_slice(luminance);
                continue;
            }
            if layout.sampling == Sampling::Full {
                let colour = |component| &row(component, y + 1 - first)[offset..][..width];
                color::convert_row(luminance, colour(1), colour(2), out);
                continue;
            }
            // Samples right of the image are not read.
            let first_sample = layout.mcu_columns.start * layout.colour_side;
            let samples = strips[1].stride.min(layout.colour_size.1 - first_sample);
            let padded = &mut upsampled.padded[..samples + 2];
            for (component, doubled) in (1..).zip(&mut upsampled.rows) {
                let doubled = &mut doubled[..2 * samples];
                if layout.sampling == Sampling::HalfWidth {
                    upsample::pad_row(&row(component, y + 1 - first)[..samples], padded);
                    upsample::double_row(padded, doubled);
                    continue;
                }
                let near = y / 2;
                let last = layout.colour_size.0 - 1;
                let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(last) };
                let strip_row = |y: usize| &row(component, y + 1 - first / 2)[..samples];
                upsample::sum_rows(strip_row(near), strip_row(far), padded);
                upsample::double_summed_row(padded, doubled);
            }
            let [cb, cr] = &upsampled.rows;
            color::convert_row(luminance, &cb[offset..][..width], &cr[offset..][..width], out);
        }
    }
}
