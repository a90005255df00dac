//! The thread pool: how many threads a call uses, and how work is shared among them.
//!
//! Work is split into blocks that write disjoint parts of the output. Each block is computed as if it were alone, so
//! bytes never depend on the number of threads. The calling thread takes part, and small work never leaves it. Between
//! blocks it checks for an interrupt, so that a long call can be ended.

use crate::error::Result;
use crate::memory;
use std::cell::Cell;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// Upper limit on the number of threads.
pub const MAX_THREADS: usize = 256;

/// Work estimated below this, in steps of about a nanosecond, stays on the calling thread.
const MIN_SHARED_WORK: usize = 200_000;

/// Longer work is split into blocks of about this size even for one thread, so that it can be interrupted in between.
const MAX_BLOCK_WORK: usize = 20_000_000;

/// Upper limit on the number of blocks for the sake of [`MAX_BLOCK_WORK`].
const MAX_BLOCKS: usize = 4096;

/// Time between two checks for an interrupt.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Zero until first used.
static GLOBAL: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LOCAL: Cell<usize> = const { Cell::new(0) };
}

/// The number of threads that a call from this thread may use.
pub fn count() -> usize {
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

/// Set the number of threads (at least 1) for all threads without their own number; return the previous one.
pub fn set_threads(count: usize) -> usize {
    let before = global_threads();
    GLOBAL.store(count.clamp(1, MAX_THREADS), Ordering::Relaxed);
    before
}

/// Set this thread's number of threads, 0 for the global one; return the previous setting.
pub fn set_local_threads(count: usize) -> usize {
    LOCAL.replace(count.min(MAX_THREADS))
}

/// RAII guard: sets this thread's number of threads until dropped.
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

/// How many blocks to split work of this estimated cost (in steps of about a nanosecond) into.
pub fn blocks_for(cost: usize) -> usize {
    let threads = count();
    let shared = if threads == 1 || cost < MIN_SHARED_WORK {
        1
    } else {
        // Four blocks per thread even out blocks of unequal cost.
        (threads * 4).min(cost / (MIN_SHARED_WORK / 4)).max(1)
    };
    shared.max((cost / MAX_BLOCK_WORK).min(MAX_BLOCKS))
}

thread_local! {
    /// Whether to stop; called on the calling thread only.
    static STOP: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
    /// When `STOP` was last called.
    static LAST_CHECK: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The payload that an interrupted call unwinds with.
struct Interrupted;

/// Run `work`; return `None` if `stop`, which this thread calls from time to time, ended it.
///
/// Memory that runs out on any thread becomes a [`KernelError::Memory`](crate::error::KernelError::Memory).
pub fn interruptible<R>(stop: fn() -> bool, work: impl FnOnce() -> Result<R>) -> Option<Result<R>> {
    let before = (STOP.replace(Some(stop)), LAST_CHECK.replace(Some(Instant::now())));
    let result = catch_unwind(AssertUnwindSafe(|| memory::catch_memory_error(work)));
    STOP.set(before.0);
    LAST_CHECK.set(before.1);
    match result {
        Ok(result) => Some(result),
        Err(payload) if payload.is::<Interrupted>() => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// Whether the current call should stop.
fn should_stop() -> bool {
    let Some(stop) = STOP.get() else { return false };
    if LAST_CHECK.get().is_some_and(|asked| asked.elapsed() < CHECK_INTERVAL) {
        return false;
    }
    // `stop` may run Python code that calls a kernel again.
    STOP.set(None);
    let stops = stop();
    STOP.set(Some(stop));
    LAST_CHECK.set(Some(Instant::now()));
    stops
}

/// End the call here if it should stop; for use inside long blocks. Does nothing on worker threads.
pub(crate) fn check_interrupt() {
    if should_stop() {
        // Not a panic, so that no message is printed.
        resume_unwind(Box::new(Interrupted));
    }
}

/// Call `work` once with each block, on at most [`count`] threads. A panic in a block is propagated.
///
/// If an [`interruptible`] call should stop, the remaining blocks are dropped and this function does not return.
pub fn for_each_block<B: Send>(blocks: Vec<B>, work: impl Fn(B) + Sync) {
    let workers = count().min(blocks.len());
    let pool = if workers > 1 { pool(workers - 1) } else { None };
    let Some(pool) = pool else {
        for block in blocks {
            work(block);
            check_interrupt();
        }
        return;
    };
    let queue = Mutex::new(VecDeque::from(blocks));
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    pool.in_place_scope(|scope| {
        let _clear = ClearQueueOnDrop(&queue);
        for _ in 1..workers {
            scope.spawn(|_| {
                let _clear = ClearQueueOnDrop(&queue);
                while let Some(block) = next() {
                    work(block);
                }
            });
        }
        while let Some(block) = next() {
            work(block);
            check_interrupt();
        }
    });
}

/// Empties the queue when any thread unwinds, because of an interrupt or of missing memory, so that the others finish.
struct ClearQueueOnDrop<'q, B>(&'q Mutex<VecDeque<B>>);

impl<B> Drop for ClearQueueOnDrop<'_, B> {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

struct Pool {
    /// The process that started the threads. A forked child inherits the memory but not the threads.
    process: u32,
    workers: usize,
    threads: Arc<rayon::ThreadPool>,
}

static POOL: Mutex<Option<Pool>> = Mutex::new(None);

/// A pool with at least this many workers; `None` if none can be created, and the caller works alone.
fn pool(workers: usize) -> Option<Arc<rayon::ThreadPool>> {
    let mut pool = acquire_pool()?;
    let process = std::process::id();
    if let Some(current) = pool.as_ref() {
        if current.process == process && current.workers >= workers {
            return Some(Arc::clone(&current.threads));
        }
        if current.process != process {
            // A forked child: the threads do not exist here, and waiting for them would never return.
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

/// The lock; `None` if it stays taken, since a fork may have happened while another thread held it.
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
        assert_eq!(blocks_for(MAX_BLOCK_WORK), 32);
        set_local_threads(1);
        assert_eq!(blocks_for(MAX_BLOCK_WORK), 1);
        set_local_threads(before);
    }

    #[test]
    fn long_work_is_cut_for_one_thread_too() {
        let before = set_local_threads(1);
        assert_eq!(blocks_for(7 * MAX_BLOCK_WORK), 7);
        assert_eq!(blocks_for(usize::MAX / 2), MAX_BLOCKS);
        set_local_threads(before);
    }

    #[test]
    fn a_call_that_has_to_stop_does() {
        for count in [1, 2] {
            let before = set_local_threads(count);
            let done = AtomicUsize::new(0);
            let work = || {
                for_each_block((0..1000).collect(), |_: i32| {
                    std::thread::sleep(CHECK_INTERVAL);
                    done.fetch_add(1, Ordering::Relaxed);
                });
                Ok(())
            };
            assert_eq!(interruptible(|| true, work), None);
            assert!(done.into_inner() < 10);
            assert_eq!(interruptible(|| false, || Ok(5)), Some(Ok(5)));
            // Outside such a call nothing is checked.
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
                for_each_block(vec![()], |()| std::thread::sleep(CHECK_INTERVAL));
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
                    std::thread::sleep(CHECK_INTERVAL / 5);
                    check_interrupt();
                }
            });
            Ok(())
        };
        assert_eq!(interruptible(|| true, work), None);
        assert!(began.elapsed() >= CHECK_INTERVAL);
    }

    #[test]
    fn want_of_memory_on_any_thread_is_an_error() {
        for count in [1, 3] {
            let before = set_local_threads(count);
            let work = || {
                for_each_block((0..10).collect(), |_: i32| {
                    // Without the black box the unused allocation would be optimized away.
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
