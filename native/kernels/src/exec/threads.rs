//! Threads: how many, and how outer work is shared among them.
//!
//! Work is cut into blocks that write disjoint parts of the output, each computed as if alone; so the bytes never
//! depend on the number of threads. The caller's thread works along, and small work never leaves it. Between blocks it
//! asks now and then whether to go on, so that a user need not wait for the end of a long call.

use crate::error::Result;
use crate::memory;
use std::cell::Cell;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// No more threads than this, whatever is asked for.
pub const MAX_THREADS: usize = 256;

/// Work below this estimate, in elementary steps of about a nanosecond, stays on the caller's thread.
const SMALLEST_SHARED_WORK: usize = 200_000;

/// Longer work is cut into blocks of about this estimate, also for one thread: it ends between two of them if asked to.
const LONGEST_BLOCK: usize = 20_000_000;

/// No more blocks than this for the sake of [`LONGEST_BLOCK`].
const MOST_BLOCKS: usize = 4096;

/// Time between two questions whether to go on.
const PATIENCE: Duration = Duration::from_millis(50);

/// Zero until asked for.
static GLOBAL: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LOCAL: Cell<usize> = const { Cell::new(0) };
}

/// The number of threads that a call from this thread may use.
pub fn threads() -> usize {
    match LOCAL.get() {
        0 => global_threads(),
        local => local,
    }
}

fn global_threads() -> usize {
    match GLOBAL.load(Ordering::Relaxed) {
        0 => {
            let asked = std::env::var("OFFGRAPH_NUM_THREADS").ok().and_then(|text| text.trim().parse().ok());
            let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
            let count = asked.filter(|count| *count > 0).unwrap_or_else(cores).min(MAX_THREADS);
            GLOBAL.store(count, Ordering::Relaxed);
            count
        }
        count => count,
    }
}

/// Let every thread without its own number use `count` threads (at least 1); the number used before is returned.
pub fn set_threads(count: usize) -> usize {
    let before = global_threads();
    GLOBAL.store(count.clamp(1, MAX_THREADS), Ordering::Relaxed);
    before
}

/// Let calls from this thread use `count` threads, or the common number again for 0; what was set is returned.
pub fn set_local_threads(count: usize) -> usize {
    LOCAL.replace(count.min(MAX_THREADS))
}

/// While it lives, calls from this thread use so many threads.
pub(crate) struct LocalThreads(usize);

impl LocalThreads {
    pub(crate) fn new(count: usize) -> Self {
        Self(set_local_threads(count))
    }
}

impl Drop for LocalThreads {
    fn drop(&mut self) {
        set_local_threads(self.0);
    }
}

/// How many blocks to cut work of this estimated cost into, a step being about a nanosecond.
pub fn blocks_for(cost: usize) -> usize {
    let threads = threads();
    let shared = if threads == 1 || cost < SMALLEST_SHARED_WORK {
        1
    } else {
        // Four blocks a thread even out blocks of unequal cost.
        (threads * 4).min(cost / (SMALLEST_SHARED_WORK / 4)).max(1)
    };
    shared.max((cost / LONGEST_BLOCK).min(MOST_BLOCKS))
}

thread_local! {
    /// Whether to stop; asked on the thread that called.
    static STOP: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
    /// When that was asked last.
    static ASKED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// What an interrupted call unwinds with.
struct Interrupted;

/// Call `work`, and end it before its time, with `None`, if `stop` says so; that is asked now and then on this thread.
///
/// Want of memory, on any thread, is the [`KernelError::Memory`](crate::error::KernelError::Memory) that it returns.
pub fn interruptible<R>(stop: fn() -> bool, work: impl FnOnce() -> Result<R>) -> Option<Result<R>> {
    let before = (STOP.replace(Some(stop)), ASKED.replace(Some(Instant::now())));
    let result = catch_unwind(AssertUnwindSafe(|| memory::caught(work)));
    STOP.set(before.0);
    ASKED.set(before.1);
    match result {
        Ok(result) => Some(result),
        Err(payload) if payload.is::<Interrupted>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// Whether the call that this thread is in has to stop.
fn has_to_stop() -> bool {
    let Some(stop) = STOP.get() else { return false };
    if ASKED.get().is_some_and(|asked| asked.elapsed() < PATIENCE) {
        return false;
    }
    // What is called may come back here.
    STOP.set(None);
    let stops = stop();
    STOP.set(Some(stop));
    ASKED.set(Some(Instant::now()));
    stops
}

/// End the call here if it has to stop: for the parts of a long block. Does nothing on other threads than the caller's.
pub(crate) fn pause() {
    if has_to_stop() {
        // Not a panic: no message is printed.
        resume_unwind(Box::new(Interrupted));
    }
}

/// Call `work` once with each block, on at most [`threads`] threads. A panic in a block is passed on.
///
/// In an [`interruptible`] call that has to stop, the blocks that are left are dropped, and this does not return.
pub fn for_each_block<B: Send>(blocks: Vec<B>, work: impl Fn(B) + Sync) {
    let count = threads().min(blocks.len());
    let pool = if count > 1 { pool(count - 1) } else { None };
    let Some(pool) = pool else {
        for block in blocks {
            work(block);
            pause();
        }
        return;
    };
    let queue = Mutex::new(VecDeque::from(blocks));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    pool.in_place_scope(|scope| {
        let _emptied = Emptied(&queue);
        for _ in 1..count {
            scope.spawn(|_| {
                let _emptied = Emptied(&queue);
                while let Some(block) = next() {
                    work(block);
                }
            });
        }
        while let Some(block) = next() {
            work(block);
            pause();
        }
    });
}

/// Leaves nothing for the other threads to do when one unwinds: the caller's, which is to stop, or any for want of memory.
struct Emptied<'q, B>(&'q Mutex<VecDeque<B>>);

impl<B> Drop for Emptied<'_, B> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

struct Pool {
    /// The process that started the threads: a fork inherits the memory, not the threads.
    process: u32,
    workers: usize,
    threads: Arc<rayon::ThreadPool>,
}

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

/// A pool with at least this many workers; `None` where there is none to be had, and the caller works alone.
fn pool(workers: usize) -> Option<Arc<rayon::ThreadPool>> {
    let mut pool = acquire_pool()?;
    let process = std::process::id();
    if let Some(current) = pool.as_ref() {
        if current.process == process && current.workers >= workers {
            return Some(Arc::clone(&current.threads));
        }
        if current.process != process {
            // Its threads do not exist here; waiting for them to end would never return.
            std::mem::forget(pool.take());
        }
    }
    let threads = rayon::ThreadPoolBuilder::new()
        .num_threads(workers)
        .thread_name(|index| format!("offgraph-{index}"))
        .build()
        .ok()?;
    let threads = Arc::new(threads);
    *pool = Some(Pool { process, workers, threads: Arc::clone(&threads) });
    Some(threads)
}

/// The lock, unless it stays taken: a fork may have happened while another thread held it.
fn acquire_pool() -> Option<std::sync::MutexGuard<'static, Option<Pool>>> {
    for _ in 0..1000 {
        match POOL.try_lock() {
            Ok(guard) => return Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::thread::yield_now(),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::KernelError;

    #[test]
    fn every_block_is_done_once() {
        for count in [1, 2, 5] {
            let before = set_local_threads(count);
            let mut values = vec![0_u32; 1000];
            let blocks: Vec<&mut [u32]> = values.chunks_mut(7).collect();
            for_each_block(blocks, |block| block.iter_mut().for_each(|value| *value += 1));
            set_local_threads(before);
            assert!(values.iter().all(|value| *value == 1));
        }
    }

    #[test]
    fn small_work_stays_here() {
        let before = set_local_threads(8);
        assert_eq!(blocks_for(1000), 1);
        assert_eq!(blocks_for(LONGEST_BLOCK), 32);
        set_local_threads(1);
        assert_eq!(blocks_for(LONGEST_BLOCK), 1);
        set_local_threads(before);
    }

    #[test]
    fn long_work_is_cut_for_one_thread_too() {
        let before = set_local_threads(1);
        assert_eq!(blocks_for(7 * LONGEST_BLOCK), 7);
        assert_eq!(blocks_for(usize::MAX / 2), MOST_BLOCKS);
        set_local_threads(before);
    }

    #[test]
    fn a_call_that_has_to_stop_does() {
        for count in [1, 2] {
            let before = set_local_threads(count);
            let done = AtomicUsize::new(0);
            let work = || {
                for_each_block((0..1000).collect(), |_: i32| {
                    std::thread::sleep(PATIENCE);
                    done.fetch_add(1, Ordering::Relaxed);
                });
                Ok(())
            };
            assert_eq!(interruptible(|| true, work), None);
            assert!(done.into_inner() < 10);
            assert_eq!(interruptible(|| false, || Ok(5)), Some(Ok(5)));
            // Outside of such a call nothing is asked.
            for_each_block(vec![1, 2, 3], |_| {});
            set_local_threads(before);
        }
    }

    #[test]
    fn a_call_that_has_to_stop_inside_a_block_does() {
        let before = set_local_threads(2);
        let done = AtomicUsize::new(0);
        let work = || {
            for_each_block((0..1000).collect(), |_: i32| {
                let inner = set_local_threads(1);
                for_each_block(vec![()], |()| std::thread::sleep(PATIENCE));
                set_local_threads(inner);
                done.fetch_add(1, Ordering::Relaxed);
            });
            Ok(())
        };
        assert_eq!(interruptible(|| true, work), None);
        assert!(done.into_inner() < 10);
        set_local_threads(before);
    }

    #[test]
    fn a_part_of_a_block_may_stop_the_call() {
        let began = Instant::now();
        let work = || {
            for_each_block(vec![()], |()| {
                loop {
                    std::thread::sleep(PATIENCE / 5);
                    pause();
                }
            });
            Ok(())
        };
        assert_eq!(interruptible(|| true, work), None);
        assert!(began.elapsed() >= PATIENCE);
    }

    #[test]
    fn want_of_memory_on_any_thread_is_an_error() {
        for count in [1, 3] {
            let before = set_local_threads(count);
            let work = || {
                for_each_block((0..10).collect(), |_: i32| {
                    // Memory that nobody looks at would not even be asked for.
                    std::hint::black_box(memory::zeros::<u64>(usize::MAX / 16));
                });
                Ok(())
            };
            assert!(matches!(interruptible(|| false, work), Some(Err(KernelError::Memory(_)))));
            set_local_threads(before);
        }
    }

    #[test]
    fn a_panic_comes_back_and_the_pool_survives() {
        let before = set_local_threads(2);
        let failed =
            std::panic::catch_unwind(|| for_each_block(vec![1, 2, 3, 4], |value| assert!(value != 3)));
        assert!(failed.is_err());
        let done = AtomicUsize::new(0);
        for_each_block(vec![1, 2, 3, 4], |value| {
            done.fetch_add(value, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 10);
        set_local_threads(before);
    }
}
