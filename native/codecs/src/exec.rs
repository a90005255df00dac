//! Loops compiled for AVX2 where the processor has it.
//!
//! Not for AVX-512: there the compiler loads a block's 64 coefficients in vectors that span several of the 16-bit stores
//! just before, which stalls. A JPEG takes 8 % longer.

use offgraph_kernels::exec::simd::Kernel;
#[cfg(target_arch = "x86_64")]
use offgraph_kernels::exec::simd::{Level, level};

/// Run `kernel` compiled for AVX2, if that or a wider level is in use.
#[inline]
pub(crate) fn dispatch<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    if level() != Level::Baseline {
        // SAFETY: a level above the baseline is in use only where the processor has AVX2.
        return unsafe { run_avx2(kernel) };
    }
    kernel.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run()
}
