//! An image file in memory, ready to be decoded.

use crate::Refused;
use crate::jpeg::{self, Decoder, Header, Window};
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
        let header = jpeg::read_header(&data)?;
        let orientation = header.orientation;
        Ok(Self { data, header, orientation })
    }

    /// The contents.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Rows and columns as stored.
    pub fn size(&self) -> (usize, usize) {
        (self.header.height, self.header.width)
    }

    /// 1 for grey, 3 for RGB.
    pub fn channels(&self) -> usize {
        self.header.sampling.channels()
    }

    /// EXIF orientation, 1 to 8.
    pub fn orientation(&self) -> u8 {
        self.orientation
    }

    /// Decode the pixels of a window, as stored, into `out`, an array (height, width, channels) in C order.
    ///
    /// # Errors
    ///
    /// As for [`Decoder::decode_window`].
    pub fn decode(&self, window: Window, out: &mut [u8]) -> Result<(), Refused> {
        let window = (window != Window::whole(&self.header)).then_some(window);
        decode_jpeg(&self.data, window, out)
    }
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
