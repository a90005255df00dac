//! Run-time SIMD dispatch: one plain loop is compiled for several instruction sets, and the best supported one runs.
//!
//! A loop is a [`Kernel`]: a value that holds its arguments. [`dispatch`] inlines its body into a function compiled for
//! wider registers. Nothing is fused or reordered, so every level gives the same bytes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// An instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// What every processor of the target supports (SSE2 on x86-64).
    Baseline = 1,
    /// AVX2, and the instructions that count and find bits, which came with it.
    Avx2 = 2,
    /// AVX-512 F, BW, DQ and VL.
    Avx512 = 3,
}

impl Level {
    /// The name used by the environment variable `OFFGRAPH_SIMD` and by `build_info`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }

    /// The level with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Baseline, Self::Avx2, Self::Avx512].into_iter().find(|level| level.name() == name)
    }
}

/// The widest level that this processor supports.
pub fn detected() -> Level {
    static DETECTED: OnceLock<Level> = OnceLock::new();
    *DETECTED.get_or_init(detect)
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    let bits = is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt");
    if bits
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
    {
        Level::Avx512
    } else if bits && is_x86_feature_detected!("avx2") {
        Level::Avx2
    } else {
        Level::Baseline
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn detect() -> Level {
    Level::Baseline
}

/// Zero until a level is chosen.
static FORCED: AtomicU8 = AtomicU8::new(0);

/// The level in use: the last one forced, else `OFFGRAPH_SIMD`, else the detected one.
pub fn level() -> Level {
    match FORCED.load(Ordering::Relaxed) {
        1 => Level::Baseline,
        2 => Level::Avx2,
        3 => Level::Avx512,
        _ => {
            let asked = std::env::var("OFFGRAPH_SIMD").ok().and_then(|name| Level::from_name(name.trim()));
            force(asked.unwrap_or_else(detected))
        }
    }
}

/// Use `level` from now on, or the widest supported one below it; return the level now in use.
pub fn force(level: Level) -> Level {
    let level = level.min(detected());
    FORCED.store(level as u8, Ordering::Relaxed);
    level
}

/// A loop with its arguments. Mark `run`, and what it calls in the loop, `#[inline(always)]`.
pub trait Kernel {
    /// What the loop returns.
    type Output;

    /// Run the loop.
    fn run(self) -> Self::Output;
}

/// Run `kernel` compiled for the level in use.
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    match level() {
        // SAFETY: `level` never exceeds what `detect` found.
        Level::Avx512 => return unsafe { run_avx512(kernel) },
        // SAFETY: as above.
        Level::Avx2 => return unsafe { run_avx2(kernel) },
        Level::Baseline => {}
    }
    kernel.run()
}

// Without the `fma` feature and fast-math flags, a product and a sum keep their two roundings.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}

/// Convert samples one by one.
pub(crate) struct Convert<'a, A, B, F> {
    pub(crate) from: &'a [A],
    pub(crate) to: &'a mut [B],
    pub(crate) convert: F,
}

impl<A: Copy, B, F: Fn(A) -> B> Kernel for Convert<'_, A, B, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { from, to, convert } = self;
        to.iter_mut().zip(from).for_each(|(to, from)| *to = convert(*from));
    }
}

/// Prefetch the cache line of element `at`, which may lie outside the slice.
#[inline(always)]
pub(crate) fn prefetch<T>(elements: &[T], at: usize) {
    let address = elements.as_ptr().wrapping_add(at);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch changes nothing but the cache, and no address makes it fail.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;
    use crate::exec::threads::LocalThreads;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    /// Keeps the level in use as it is; one test holds it at a time, so that none changes the level under another.
    pub(crate) struct LevelLock {
        before: Level,
        _held: MutexGuard<'static, ()>,
    }

    impl LevelLock {
        pub(crate) fn new() -> Self {
            static HELD: Mutex<()> = Mutex::new(());
            let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
            Self { before: level(), _held: held }
        }
    }

    impl Drop for LevelLock {
        fn drop(&mut self) {
            force(self.before);
        }
    }

    /// Every level that the processor supports, each in use until the next is asked for.
    pub(crate) fn every_level() -> impl Iterator<Item = Level> {
        let held = LevelLock::new();
        let levels = [Level::Baseline, Level::Avx2, Level::Avx512].into_iter();
        levels.filter(|level| *level <= detected()).map(move |level| {
            let _held = &held;
            force(level)
        })
    }

    /// Run `test` with `threads` threads at every level.
    pub(crate) fn at_every_level<E>(threads: usize, test: impl Fn() -> Result<(), E>) -> Result<(), E> {
        let _threads = LocalThreads::new(threads);
        every_level().try_for_each(|_| test())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Products<'a>(&'a [f64], &'a [f64], &'a mut [f64]);

    impl Kernel for Products<'_> {
        type Output = ();

        #[inline(always)]
        fn run(self) {
            for ((a, b), c) in self.0.iter().zip(self.1).zip(self.2) {
                *c += a * b;
            }
        }
    }

    #[test]
    fn every_level_gives_the_same_bytes() {
        let a: Vec<f64> = (0..101).map(|i| 1.0 / f64::from(i + 3)).collect();
        let b: Vec<f64> = (0..101).map(|i| 0.1 * f64::from(i)).collect();
        let mut results = Vec::new();
        for _ in testing::every_level() {
            let mut c = vec![0.3; 101];
            dispatch(Products(&a, &b, &mut c));
            results.push(c.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
        }
        // The black box keeps product and sum apart in the reference.
        let plain: Vec<u64> =
            a.iter().zip(&b).map(|(a, b)| (0.3 + std::hint::black_box(a * b)).to_bits()).collect();
        assert!(results.iter().all(|result| *result == plain));
    }
}
