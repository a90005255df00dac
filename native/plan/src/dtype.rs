//! Element types by value, arrays that own their elements, and pairs of arrays of one type.

use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn};
use offgraph_kernels::array::sample::Bool;
use offgraph_kernels::array::view::{View, ViewMut};
use offgraph_kernels::memory;

macro_rules! dtypes {
    ($($name:ident: $type:ty),*) => {
        /// The element type of an array.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs)]
        pub enum DType {
            $($name),*
        }

        impl DType {
            /// The type of a view's elements.
            pub fn of(view: &View<'_>) -> Self {
                match view {
                    $(View::$name(_) => Self::$name),*
                }
            }

            /// The type of the elements of a view that is written.
            pub fn of_mut(view: &ViewMut<'_>) -> Self {
                match view {
                    $(ViewMut::$name(_) => Self::$name),*
                }
            }
        }

        #[derive(Debug)]
        enum Elements {
            $($name(Vec<$type>)),*
        }

        impl Elements {
            fn zeros(dtype: DType, len: usize) -> Self {
                match dtype {
                    $(DType::$name => Self::$name(memory::zeros(len))),*
                }
            }
        }

        impl Array {
            /// The type of the elements.
            pub fn dtype(&self) -> DType {
                match &self.elements {
                    $(Elements::$name(_) => DType::$name),*
                }
            }

            /// Elements that there is memory for.
            pub(crate) fn capacity(&self) -> usize {
                match &self.elements {
                    $(Elements::$name(elements) => elements.len()),*
                }
            }

            /// Bytes of that memory.
            pub(crate) fn bytes(&self) -> usize {
                match &self.elements {
                    $(Elements::$name(elements) => size_of_val(&elements[..])),*
                }
            }

            /// The elements.
            pub fn view(&self) -> View<'_> {
                let (shape, len) = (IxDyn(&self.shape), self.len());
                match &self.elements {
                    $(Elements::$name(elements) => {
                        View::$name(ArrayViewD::from_shape(shape, &elements[..len]).expect("as many as the shape has"))
                    }),*
                }
            }

            /// The elements, to be written.
            pub fn view_mut(&mut self) -> ViewMut<'_> {
                let (shape, len) = (IxDyn(&self.shape), self.len());
                match &mut self.elements {
                    $(Elements::$name(elements) => ViewMut::$name(
                        ArrayViewMutD::from_shape(shape, &mut elements[..len]).expect("as many as the shape has"),
                    )),*
                }
            }
        }

        /// Runs one expression with the two typed arrays of a [`View`] and a [`ViewMut`]; another if their types differ.
        macro_rules! match_pair {
            ($from:expr, $to:expr, ($source:ident, $target:ident) => $body:expr, _ => $otherwise:expr) => {
                match ($from, $to) {
                    $((
                        ::offgraph_kernels::array::view::View::$name($source),
                        ::offgraph_kernels::array::view::ViewMut::$name($target),
                    ) => $body,)*
                    _ => $otherwise,
                }
            };
        }
        pub(crate) use match_pair;

        /// Give the bytes of an array's values in little-endian C order, some thousands at a time.
        pub(crate) fn le_bytes(array: &View<'_>, take: impl FnMut(&[u8])) {
            match array {
                $(View::$name(values) => le_bytes_of(values, take)),*
            }
        }

        /// Fill an array in C order with values in little-endian order, as many bytes as it has.
        pub(crate) fn fill_from_le_bytes(array: ViewMut<'_>, bytes: &[u8]) {
            match array {
                $(ViewMut::$name(mut values) => {
                    let (parts, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
                    for (value, part) in values.iter_mut().zip(parts) {
                        *value = <$type>::from_le_bytes(*part);
                    }
                }),*
            }
        }
    };
}

dtypes!(
    Bool: Bool, U8: u8, I8: i8, U16: u16, I16: i16, U32: u32, I32: i32, U64: u64, I64: i64, F32: f32, F64: f64
);

/// Bytes that are given at a time: whole elements of every type.
const GIVEN: usize = 4096;

/// An element whose bytes are stored.
trait Stored: Copy {
    /// Store its bytes in little-endian order.
    fn store(self, bytes: &mut [u8]);
}

macro_rules! stored {
    ($($type:ty)*) => {
        $(impl Stored for $type {
            fn store(self, bytes: &mut [u8]) {
                bytes.copy_from_slice(&self.to_le_bytes());
            }
        })*
    };
}

stored!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

impl Stored for Bool {
    fn store(self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&[self.0]);
    }
}

fn le_bytes_of<T: Stored>(values: &ArrayViewD<'_, T>, mut take: impl FnMut(&[u8])) {
    let (mut bytes, mut filled) = ([0; GIVEN], 0);
    for value in values {
        let end = filled + size_of::<T>();
        value.store(&mut bytes[filled..end]);
        filled = end % GIVEN;
        if filled == 0 {
            take(&bytes);
        }
    }
    take(&bytes[..filled]);
}

/// An array in C order that owns its elements.
#[derive(Debug)]
pub struct Array {
    /// At least as many as the shape has.
    elements: Elements,
    shape: Vec<usize>,
}

impl Array {
    /// An array of zeros.
    pub fn zeros(dtype: DType, shape: &[usize]) -> Self {
        Self { elements: Elements::zeros(dtype, elements(shape)), shape: memory::copy(shape) }
    }

    /// A copy of a view.
    pub fn copy(view: &View<'_>) -> Self {
        let mut copy = Self::zeros(DType::of(view), view.shape());
        match_pair!(view.view(), copy.view_mut(), (from, to) => { let mut to = to; to.assign(&from) }, _ => unreachable!());
        copy
    }

    /// The same memory as another shape, which must fit.
    pub(crate) fn reshaped(mut self, shape: &[usize]) -> Self {
        self.shape.clear();
        memory::extend_from_slice(&mut self.shape, shape);
        self
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Elements of an array of this shape.
pub(crate) fn elements(shape: &[usize]) -> usize {
    shape.iter().fold(1, |len, axis| usize::saturating_mul(len, *axis))
}
