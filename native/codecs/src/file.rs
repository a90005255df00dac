//! An image file in memory, ready to be decoded.

use crate::Refused;
use crate::jpeg::{self, Decoder, Scale, Window};
use crate::png;
use offgraph_kernels::memory;
use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a large file that are read at a time.
const PART: usize = 16 << 20;

thread_local! {
    /// A thread keeps its tables and workspaces from one file to the next.
    static DECODER: RefCell<Decoder> = RefCell::default();
    static PNG_DECODER: RefCell<png::Decoder> = RefCell::default();
}

/// A file format that is decoded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

#[derive(Debug)]
enum Header {
    Jpeg(jpeg::Header),
    Png(png::Header),
}

/// The contents of a file that is decoded here, as far as its header tells.
#[derive(Debug)]
pub struct ImageFile {
    data: Vec<u8>,
    header: Header,
    orientation: u8,
}

impl ImageFile {
    /// Read a regular file of at most `max_bytes`; `progress` is called after each part of it.
    ///
    /// # Errors
    ///
    /// [`Refused`] if it cannot be read, if it changes meanwhile, or if it is not decoded here.
    pub fn read(path: &Path, max_bytes: u64, progress: impl Fn()) -> Result<Self, Refused> {
        let data = read_regular(path, max_bytes, progress).map_err(|_| Refused("it cannot be read"))?;
        Self::new(data.ok_or(Refused("it is not a regular file, too large, or changing"))?)
    }

    /// Read the header of a file's contents.
    ///
    /// # Errors
    ///
    /// [`Refused`] if the file is not decoded here.
    pub fn new(data: Vec<u8>) -> Result<Self, Refused> {
        if data.starts_with(&png::SIGNATURE) {
            let header = png::read_header(&data)?;
            if !matches!(header.channels, 1 | 3) {
                return Err(Refused("it has an alpha channel"));
            }
            if !header.is_plausible(data.len()) {
                return Err(Refused("it is too short for its pixels"));
            }
            return Ok(Self { data, header: Header::Png(header), orientation: 1 });
        }
        let header = jpeg::read_header(&data)?;
        let orientation = header.orientation;
        Ok(Self { data, header: Header::Jpeg(header), orientation })
    }

    /// Its format.
    pub fn format(&self) -> Format {
        match self.header {
            Header::Jpeg(_) => Format::Jpeg,
            Header::Png(_) => Format::Png,
        }
    }

    /// The contents.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Rows and columns as stored.
    pub fn size(&self) -> (usize, usize) {
        match &self.header {
            Header::Jpeg(header) => (header.height, header.width),
            Header::Png(header) => (header.height, header.width),
        }
    }

    /// 1 for grey, 3 for RGB.
    pub fn channels(&self) -> usize {
        match &self.header {
            Header::Jpeg(header) => header.sampling.channels(),
            Header::Png(header) => header.channels,
        }
    }

    /// Bits per sample: 8, or 16.
    pub fn depth(&self) -> usize {
        match &self.header {
            Header::Jpeg(_) => 8,
            Header::Png(header) => header.depth,
        }
    }

    /// EXIF orientation, 1 to 8.
    pub fn orientation(&self) -> u8 {
        self.orientation
    }

    /// Decode the pixels of a window, as stored, into `out`, an array (height, width, channels) in C order.
    ///
    /// # Errors
    ///
    /// As for [`Decoder::decode_window`] and [`png::Decoder::decode`], and if it has another depth than `out`.
    pub fn decode(&self, window: Window, out: Samples<'_>) -> Result<(), Refused> {
        match (&self.header, out) {
            (Header::Jpeg(header), Samples::U8(out)) => {
                let window = (window != Window::whole(header)).then_some(window);
                decode_jpeg(&self.data, window, out)
            }
            (Header::Png(header), out) => decode_png_window(&self.data, header, &window, out),
            (Header::Jpeg(_), Samples::U16(_)) => Err(Refused("it has 8 bits")),
        }
    }
}

impl ImageFile {
    /// Whether the image is decoded at a scale.
    pub fn has_scale(&self, scale: Scale) -> bool {
        match &self.header {
            Header::Jpeg(header) => header.has_scale(scale),
            Header::Png(_) => scale == Scale::Full,
        }
    }

    /// As [`Self::decode`], of the image at a scale that it is decoded at.
    ///
    /// # Errors
    ///
    /// As for [`Decoder::decode_scaled`].
    pub fn decode_scaled(&self, scale: Scale, window: Window, out: Samples<'_>) -> Result<(), Refused> {
        match out {
            Samples::U8(out) if scale != Scale::Full => {
                DECODER.with_borrow_mut(|decoder| decoder.decode_scaled(&self.data, scale, window, out))
            }
            out => self.decode(window, out),
        }
    }
}

/// Pixels to be filled, of an array (height, width, channels) in C order.
#[derive(Debug)]
pub enum Samples<'a> {
    /// Of 8 bits.
    U8(&'a mut [u8]),
    /// Of 16 bits.
    U16(&'a mut [u16]),
}

/// Decode a PNG whose shape, (height, width, channels), and depth are known, with the decoder of this thread.
///
/// # Errors
///
/// [`Refused`] if the file is not decoded here, or holds another image; `out` may have been written to.
pub fn decode_png(data: &[u8], shape: [usize; 3], out: Samples<'_>) -> Result<(), Refused> {
    let header = png::read_header(data)?;
    if [header.height, header.width, header.channels] != shape {
        return Err(Refused("it holds another image"));
    }
    let window = Window { rows: 0..header.height, columns: 0..header.width };
    decode_png_window(data, &header, &window, out)
}

fn decode_png_window(
    data: &[u8],
    header: &png::Header,
    window: &Window,
    out: Samples<'_>,
) -> Result<(), Refused> {
    let depth = if matches!(out, Samples::U8(_)) { 8 } else { 16 };
    if header.depth != depth {
        return Err(Refused("it holds another image"));
    }
    PNG_DECODER.with_borrow_mut(|decoder| match out {
        Samples::U8(out) => decoder.decode(data, header, window, out),
        Samples::U16(out) => {
            let mut bytes = memory::zeros(2 * out.len());
            decoder.decode(data, header, window, &mut bytes)?;
            for (sample, bytes) in out.iter_mut().zip(bytes.as_chunks().0) {
                *sample = u16::from_be_bytes(*bytes);
            }
            Ok(())
        }
    })
}

/// Decode a JPEG, or a window of it, with the decoder of this thread; as [`Decoder::decode_window`].
///
/// # Errors
///
/// As there.
pub fn decode_jpeg(data: &[u8], window: Option<Window>, out: &mut [u8]) -> Result<(), Refused> {
    DECODER.with_borrow_mut(|decoder| match window {
        None => decoder.decode(data, out),
        Some(window) => decoder.decode_window(data, window, out),
    })
}

/// The contents of a regular file; `None` for anything else, for more than `max_bytes`, and for a file that is changed
/// meanwhile.
fn read_regular(path: &Path, max_bytes: u64, progress: impl Fn()) -> io::Result<Option<Vec<u8>>> {
    let mut file = open(path)?;
    let status = file.metadata()?;
    if !status.is_file() || status.len() > max_bytes {
        return Ok(None);
    }
    let len = status.len() as usize;
    let mut data = memory::with_capacity(len);
    while data.len() < len {
        let part = PART.min(len - data.len());
        if (&mut file).take(part as u64).read_to_end(&mut data)? == 0 {
            return Ok(None);
        }
        progress();
    }
    let now = file.metadata()?;
    let is_same = now.len() == status.len() && now.modified()? == status.modified()?;
    Ok(is_same.then_some(data))
}

/// Open a file without waiting, as a pipe would make it.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::png::tests::photograph;

    fn png(channels: usize) -> (Vec<u8>, Vec<u8>) {
        let pixels = photograph(60, 50, channels);
        (png::encode(&pixels, 60, 50, channels).expect("suits the encoder"), pixels)
    }

    #[test]
    fn a_png_is_an_image_file() {
        for channels in [1, 3] {
            let (data, pixels) = png(channels);
            let file = ImageFile::new(data.clone()).expect("ordinary");
            assert_eq!((file.format(), file.size(), file.channels()), (Format::Png, (60, 50), channels));
            assert_eq!(file.orientation(), 1);
            let mut out = vec![0; pixels.len()];
            assert_eq!(file.decode(Window { rows: 0..60, columns: 0..50 }, Samples::U8(&mut out)), Ok(()));
            assert_eq!(out, pixels);
            out.fill(0);
            assert_eq!(decode_png(&data, [60, 50, channels], Samples::U8(&mut out)), Ok(()));
            assert_eq!(out, pixels);
            assert!(decode_png(&data, [50, 60, channels], Samples::U8(&mut out)).is_err());
            let mut deep = vec![0; pixels.len()];
            assert!(decode_png(&data, [60, 50, channels], Samples::U16(&mut deep)).is_err());
        }
        for channels in [2, 4] {
            assert!(ImageFile::new(png(channels).0).is_err(), "alpha");
        }
    }
}
