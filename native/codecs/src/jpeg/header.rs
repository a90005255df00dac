//! The markers of a JPEG up to its scan.
//!
//! Accepted: Huffman-coded baseline or extended sequential frames of 8 bits, grey, or YCbCr sampled 4:4:4, 4:2:2 or
//! 4:2:0, whose only scan holds all components.

use super::Scale;
use super::huffman::Code;
use crate::{Refused, exif};

/// The most pixels per side that libjpeg takes.
const MAX_SIDE: usize = 65_500;
/// Segments before the scan; encoders write some ten.
const MAX_SEGMENTS: usize = 1_000;

/// How a frame's colours are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// One component.
    Grey,
    /// Full colour resolution, 4:4:4.
    Full,
    /// Half the columns of colour, 4:2:2.
    HalfWidth,
    /// Half the columns and half the rows of colour, 4:2:0.
    HalfBoth,
}

impl Sampling {
    /// Components of the frame, which are the channels of the decoded image.
    pub fn channels(self) -> usize {
        if self == Self::Grey { 1 } else { 3 }
    }

    /// Luminance blocks per minimum coded unit (MCU), down and across.
    pub fn blocks(self) -> (usize, usize) {
        match self {
            Self::Grey | Self::Full => (1, 1),
            Self::HalfWidth => (1, 2),
            Self::HalfBoth => (2, 2),
        }
    }
}

/// What a JPEG says about its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Rows of pixels.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// Components, and how they are sampled.
    pub sampling: Sampling,
    /// EXIF orientation, 1 to 8; that of an XMP packet if EXIF has none.
    pub orientation: u8,
}

impl Header {
    /// Rows and columns of the image at a scale.
    pub fn scaled_size(&self, scale: Scale) -> (usize, usize) {
        let divisor = scale.divisor();
        (self.height.div_ceil(divisor), self.width.div_ceil(divisor))
    }

    /// Whether the image is decoded at a scale: at an eighth, libjpeg-turbo has another way with colours sampled 4:2:2,
    /// and so it has with colours of at most two columns.
    pub fn has_scale(&self, scale: Scale) -> bool {
        match self.sampling {
            Sampling::HalfWidth => {
                scale == Scale::Full || scale != Scale::Eighth && self.scaled_size(scale).1 > 4
            }
            Sampling::Grey | Sampling::Full | Sampling::HalfBoth => true,
        }
    }
}

/// Everything that precedes the coded data.
pub(super) struct Tables {
    pub(super) header: Header,
    /// For each component, in zigzag order.
    pub(super) quantization: [[u8; 64]; 3],
    /// For each component.
    pub(super) dc: [Code; 3],
    pub(super) ac: [Code; 3],
    /// MCUs between restart markers; zero if there are none.
    pub(super) restart_interval: usize,
    /// Where the coded data begins.
    pub(super) data_start: usize,
}

/// What has been read of the segments so far.
#[derive(Default)]
struct Segments {
    quantization: [Option<[u8; 64]>; 4],
    dc: [Option<Code>; 4],
    ac: [Option<Code>; 4],
    frame: Option<Frame>,
    restart_interval: usize,
    has_jfif: bool,
    adobe_transform: Option<u8>,
    profile: Profile,
    metadata: Metadata,
}

/// What is said of the orientation.
#[derive(Default)]
struct Metadata {
    has_exif: bool,
    orientation: Option<u32>,
    has_xmp: bool,
    in_xmp: Option<u32>,
}

impl Metadata {
    fn read(&mut self, body: &[u8]) {
        if let Some(block) = body.strip_prefix(exif::START) {
            if !self.has_exif {
                self.orientation = exif::orientation(block);
            }
            self.has_exif = true;
        } else if body.starts_with(exif::XMP_START) && !self.has_xmp {
            self.has_xmp = true;
            self.in_xmp = exif::xmp_orientation(body);
        }
    }

    fn orientation(&self) -> u8 {
        match self.orientation.or(self.in_xmp) {
            Some(number @ 1..=8) => number as u8,
            _ => 1,
        }
    }
}

/// The parts of a colour profile. It is not read, but libjpeg-turbo warns about parts that do not fit together.
struct Profile {
    parts: u8,
    found: [bool; 256],
    has_data: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self { parts: 0, found: [false; 256], has_data: false }
    }
}

impl Profile {
    fn read(&mut self, body: &[u8]) -> Result<(), Refused> {
        let Some(&[number, parts, ref data @ ..]) = body.strip_prefix(b"ICC_PROFILE\0") else {
            return Ok(());
        };
        let is_first = self.parts == 0;
        let found = &mut self.found[usize::from(number)];
        if number == 0 || number > parts || *found || !(is_first || self.parts == parts) {
            return Err(Refused("its colour profile is odd"));
        }
        *found = true;
        self.parts = parts;
        self.has_data |= !data.is_empty();
        Ok(())
    }

    fn is_complete(&self) -> bool {
        let mut parts = (1..=self.parts).map(|number| self.found[usize::from(number)]);
        self.parts == 0 || self.has_data && parts.all(|found| found)
    }
}

#[derive(Clone, Copy)]
struct Frame {
    header: Header,
    ids: [u8; 3],
    quantization: [u8; 3],
}

/// Read the markers up to the scan.
///
/// # Errors
///
/// [`Refused`] if the file is not one of those decoded here.
pub fn read_header(data: &[u8]) -> Result<Header, Refused> {
    Tables::read(data).map(|tables| tables.header)
}

impl Tables {
    pub(super) fn read(data: &[u8]) -> Result<Self, Refused> {
        if !data.starts_with(&[0xFF, 0xD8]) {
            return Err(Refused("it does not begin as a JPEG does"));
        }
        let mut segments = Segments::default();
        let mut at = 2;
        for _ in 0..MAX_SEGMENTS {
            let Some(&[0xFF, marker, high, low]) = data.get(at..at + 4) else {
                return Err(Refused("a marker is missing before its scan"));
            };
            let end = at + 2 + usize::from(u16::from_be_bytes([high, low]));
            let body = data.get(at + 4..end).ok_or(Refused("a segment reaches over the end of the file"))?;
            if marker == 0xDA {
                return segments.scan(body, end);
            }
            segments.read(marker, body)?;
            at = end;
        }
        Err(Refused("it has too many segments"))
    }
}

impl Segments {
    fn read(&mut self, marker: u8, body: &[u8]) -> Result<(), Refused> {
        match marker {
            0xC0 | 0xC1 => self.frame(body),
            0xC4 => self.huffman(body),
            0xDB => self.quantization(body),
            0xDD => {
                let &[high, low] = body else { return Err(Refused("a restart interval of odd length")) };
                self.restart_interval = u16::from_be_bytes([high, low]).into();
                Ok(())
            }
            0xE0 => {
                // Shorter ones are not JFIF's, as libjpeg sees it.
                if body.len() >= 14 && body.starts_with(b"JFIF\0") {
                    self.has_jfif = true;
                    if body[5] != 1 {
                        return Err(Refused("an unknown version of JFIF"));
                    }
                }
                Ok(())
            }
            0xEE => {
                if body.len() >= 12 && body.starts_with(b"Adobe") {
                    self.adobe_transform = Some(body[11]);
                }
                Ok(())
            }
            0xE1 => {
                self.metadata.read(body);
                Ok(())
            }
            0xE2 => self.profile.read(body),
            0xE3..=0xED | 0xEF | 0xFE => Ok(()),
            _ => Err(Refused("it is neither baseline nor extended sequential")),
        }
    }

    fn frame(&mut self, body: &[u8]) -> Result<(), Refused> {
        let &[8, h1, h0, w1, w0, count, ref components @ ..] = body else {
            return Err(Refused("its samples do not have 8 bits"));
        };
        if self.frame.is_some() || components.len() != 3 * usize::from(count) {
            return Err(Refused("its frame header is odd"));
        }
        let (height, width) = (u16::from_be_bytes([h1, h0]).into(), u16::from_be_bytes([w1, w0]).into());
        if height == 0 || width == 0 || height > MAX_SIDE || width > MAX_SIDE {
            return Err(Refused("its size is odd"));
        }
        let (sampling, ids, quantization) = match *components {
            // One component alone has MCUs of one block, whatever its factors say.
            [id, factors, table] if matches!((factors >> 4, factors & 15), (1..=4, 1..=4)) => {
                (Sampling::Grey, [id; 3], [table; 3])
            }
            [y, factors, t0, cb, 0x11, t1, cr, 0x11, t2] if y != cb && y != cr && cb != cr => {
                let sampling = match factors {
                    0x11 => Sampling::Full,
                    0x21 => Sampling::HalfWidth,
                    0x22 => Sampling::HalfBoth,
                    _ => return Err(Refused("its colours are sampled in a rare way")),
                };
                (sampling, [y, cb, cr], [t0, t1, t2])
            }
            _ => return Err(Refused("it is neither grey nor YCbCr in a common layout")),
        };
        // libjpeg repeats colours of at most two columns instead of interpolating them.
        if matches!(sampling, Sampling::HalfWidth | Sampling::HalfBoth) && width <= 4 {
            return Err(Refused("its colours have two columns or less"));
        }
        let header = Header { height, width, sampling, orientation: 1 };
        self.frame = Some(Frame { header, ids, quantization });
        Ok(())
    }

    fn huffman(&mut self, mut body: &[u8]) -> Result<(), Refused> {
        while !body.is_empty() {
            let (code, class, index, rest) = Code::read(body)?;
            let tables = if class == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(index).ok_or(Refused("a Huffman table has an odd number"))? = Some(code);
            body = rest;
        }
        Ok(())
    }

    fn quantization(&mut self, body: &[u8]) -> Result<(), Refused> {
        let (tables, rest) = body.as_chunks::<65>();
        for &[index, ref values @ ..] in tables {
            let table = self.quantization.get_mut(usize::from(index));
            *table.ok_or(Refused("a quantization table of 16 bits"))? = Some(*values);
        }
        if rest.is_empty() { Ok(()) } else { Err(Refused("quantization tables of odd length")) }
    }

    fn scan(self, body: &[u8], data_start: usize) -> Result<Tables, Refused> {
        let frame = self.frame.ok_or(Refused("its scan precedes its frame"))?;
        let channels = frame.header.sampling.channels();
        if channels == 3 && !self.is_ycbcr(frame.ids) {
            return Err(Refused("its colours are not YCbCr"));
        }
        let Some((&count, body)) = body.split_first() else { return Err(Refused("an empty scan header")) };
        if usize::from(count) != channels || body.len() != 2 * channels + 3 {
            return Err(Refused("its components come in several scans"));
        }
        let (components, spectrum) = body.split_at(2 * channels);
        if spectrum != [0, 63, 0] {
            return Err(Refused("its scan is not sequential"));
        }
        if !self.profile.is_complete() {
            return Err(Refused("its colour profile is incomplete"));
        }
        let missing = Refused("a table is missing");
        let mut tables = Tables {
            header: Header { orientation: self.metadata.orientation(), ..frame.header },
            quantization: [[0; 64]; 3],
            dc: Default::default(),
            ac: Default::default(),
            restart_interval: self.restart_interval,
            data_start,
        };
        for (c, &[id, selected]) in components.as_chunks::<2>().0.iter().enumerate() {
            if id != frame.ids[c] {
                return Err(Refused("its scan has another order of components than its frame"));
            }
            let (dc, ac) = (usize::from(selected >> 4), usize::from(selected & 15));
            tables.dc[c] = self.dc.get(dc).copied().flatten().ok_or(missing)?;
            tables.ac[c] = self.ac.get(ac).copied().flatten().ok_or(missing)?;
            let quantization = self.quantization.get(usize::from(frame.quantization[c]));
            tables.quantization[c] = quantization.copied().flatten().ok_or(missing)?;
        }
        Ok(tables)
    }

    /// What libjpeg concludes from the markers, or from the names of the components where there are none.
    fn is_ycbcr(&self, ids: [u8; 3]) -> bool {
        self.has_jfif || self.adobe_transform.map_or(ids != *b"RGB", |transform| transform == 1)
    }
}
