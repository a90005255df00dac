//! Keys: unsigned integers that sort like samples.

use crate::array::sample::{Bool, Sample};
use crate::array::view::ViewMut;
use crate::memory::{self, CollectVec, Zero};

/// An unsigned integer that represents a sample while ranks are selected.
pub(super) trait Key: Zero + Ord + Default + Send + Sync + 'static {
    /// A fixed number of keys that fill some registers.
    type Lanes: Copy + AsRef<[Self]> + AsMut<[Self]>;

    /// An initial value for lanes.
    const LANES: Self::Lanes;

    /// Replace keys by small numbers with the same order.
    fn number(keys: &[Self]) -> Numbered<Self>;

    /// The keys as bytes, and a function for the way back, if keys are bytes.
    fn as_bytes(_keys: &[Self]) -> Option<ByteKeys<'_, Self>> {
        None
    }
}

/// Keys that are bytes, and the way back.
pub(super) type ByteKeys<'a, K> = (&'a [u8], fn(&[u8]) -> &[K]);

/// Keys replaced by small numbers: `values[ids[i]]` is key `i`, and `values` is sorted.
#[derive(Debug)]
pub(super) struct Numbered<K> {
    pub(super) ids: Vec<u32>,
    pub(super) values: Vec<K>,
}

/// Short keys are their own numbers.
macro_rules! short_key {
    ($type:ty, $lanes:literal $(, $more:item)?) => {
        impl Key for $type {
            type Lanes = [Self; $lanes];
            const LANES: Self::Lanes = [0; $lanes];

            $($more)?

            fn number(keys: &[Self]) -> Numbered<Self> {
                let ids = keys.iter().map(|&key| u32::from(key)).collect_vec();
                Numbered { ids, values: (0..=Self::MAX).collect_vec() }
            }
        }
    };
}

/// Long keys are numbered by their rank among the distinct ones.
macro_rules! long_key {
    ($type:ty, $lanes:literal) => {
        impl Key for $type {
            type Lanes = [Self; $lanes];
            const LANES: Self::Lanes = [0; $lanes];

            fn number(keys: &[Self]) -> Numbered<Self> {
                assert!(u32::try_from(keys.len()).is_ok(), "a band of {} samples", keys.len());
                let mut order: Vec<(Self, u32)> = keys.iter().copied().zip(0..).collect_vec();
                order.sort_unstable();
                let (mut ids, mut values) = (memory::zeros(keys.len()), Vec::new());
                for (key, place) in order {
                    if values.last() != Some(&key) {
                        memory::push(&mut values, key);
                    }
                    ids[place as usize] = values.len() as u32 - 1;
                }
                Numbered { ids, values }
            }
        }
    };
}

short_key!(
    u8,
    128,
    fn as_bytes(keys: &[Self]) -> Option<ByteKeys<'_, Self>> {
        Some((keys, |bytes| bytes))
    }
);
short_key!(u16, 64);
long_key!(u32, 32);
long_key!(u64, 16);

/// A sample with a [`Key`] of its own width.
pub(super) trait Rankable: Sample {
    type Key: Key;

    /// Whether every value survives a conversion to `f64`.
    const FITS_DOUBLE: bool = true;

    /// An integer as a sample; excess high bits are dropped.
    fn from_i64(value: i64) -> Self;

    /// The elements of a C-contiguous output of this type; `None` for another output.
    fn slice_of<'a>(output: &'a mut ViewMut<'_>) -> Option<&'a mut [Self]>;

    /// The key of a sample; every NaN has the largest key.
    fn key(self) -> Self::Key;

    /// The sample of a key.
    fn from_key(key: Self::Key) -> Self;
}

macro_rules! same_type {
    ($type:ty, $variant:ident) => {
        fn slice_of<'a>(output: &'a mut ViewMut<'_>) -> Option<&'a mut [Self]> {
            match output {
                ViewMut::$variant(array) => array.as_slice_mut(),
                _ => None,
            }
        }

        fn from_i64(value: i64) -> Self {
            value as $type
        }
    };
}

macro_rules! unsigned_rankable {
    ($type:ty, $variant:ident) => {
        impl Rankable for $type {
            type Key = $type;
            const FITS_DOUBLE: bool = <$type>::BITS < 64;

            same_type!($type, $variant);

            #[inline(always)]
            fn key(self) -> $type {
                self
            }

            #[inline(always)]
            fn from_key(key: $type) -> Self {
                key
            }
        }
    };
}

macro_rules! signed_rankable {
    ($type:ty, $variant:ident, $key:ty) => {
        impl Rankable for $type {
            type Key = $key;
            const FITS_DOUBLE: bool = <$type>::BITS < 64;

            same_type!($type, $variant);

            #[inline(always)]
            fn key(self) -> $key {
                self as $key ^ (1 << (<$key>::BITS - 1))
            }

            #[inline(always)]
            fn from_key(key: $key) -> Self {
                (key ^ (1 << (<$key>::BITS - 1))) as $type
            }
        }
    };
}

macro_rules! float_rankable {
    ($type:ty, $variant:ident, $key:ty) => {
        impl Rankable for $type {
            type Key = $key;

            same_type!($type, $variant);

            #[inline(always)]
            fn key(self) -> $key {
                const SIGN: $key = 1 << (<$key>::BITS - 1);
                let bits = self.to_bits();
                let ordered = if bits & SIGN == 0 { bits | SIGN } else { !bits };
                if self.is_nan() { <$key>::MAX } else { ordered }
            }

            #[inline(always)]
            fn from_key(key: $key) -> Self {
                const SIGN: $key = 1 << (<$key>::BITS - 1);
                // The largest key gives all ones below the sign, which is a NaN.
                Self::from_bits(if key & SIGN == 0 { !key } else { key ^ SIGN })
            }
        }
    };
}

unsigned_rankable!(u8, U8);
unsigned_rankable!(u16, U16);
unsigned_rankable!(u32, U32);
unsigned_rankable!(u64, U64);
signed_rankable!(i8, I8, u8);
signed_rankable!(i16, I16, u16);
signed_rankable!(i32, I32, u32);
signed_rankable!(i64, I64, u64);
float_rankable!(f32, F32, u32);
float_rankable!(f64, F64, u64);

impl Rankable for Bool {
    type Key = u8;

    fn from_i64(value: i64) -> Self {
        Self(value as u8)
    }

    fn slice_of<'a>(output: &'a mut ViewMut<'_>) -> Option<&'a mut [Self]> {
        match output {
            ViewMut::Bool(array) => array.as_slice_mut(),
            _ => None,
        }
    }

    #[inline(always)]
    fn key(self) -> u8 {
        self.0
    }

    #[inline(always)]
    fn from_key(key: u8) -> Self {
        Self(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nan_of_either_sign_sorts_last() {
        let ascending = [f64::NEG_INFINITY, -1.5, -f64::MIN_POSITIVE, -0.0, 0.0, 5e-324, 2.0, f64::INFINITY];
        assert!(ascending.map(Rankable::key).is_sorted());
        for nan in [f64::NAN, -f64::NAN] {
            assert!(nan.key() > f64::INFINITY.key());
            assert!(f64::from_key(nan.key()).is_nan());
        }
    }

    proptest! {
        #[test]
        fn keys_sort_like_samples(a in any::<f32>(), b in any::<f32>(), i in any::<i16>(), j in any::<i16>()) {
            prop_assert_eq!(a.key().cmp(&b.key()), a.total_cmp(&b));
            prop_assert_eq!(f32::from_key(a.key()).to_bits(), a.to_bits());
            prop_assert_eq!(i.key().cmp(&j.key()), i.cmp(&j));
            prop_assert_eq!(i16::from_key(i.key()), i);
        }

        #[test]
        fn numbers_sort_like_keys(keys in prop::collection::vec(prop_oneof![any::<u64>(), 0u64..4], 1..50)) {
            let Numbered { ids, values } = Key::number(&keys);
            prop_assert!(values.is_sorted());
            for (id, key) in ids.iter().zip(&keys) {
                prop_assert_eq!(values[*id as usize], *key);
            }
        }
    }
}
