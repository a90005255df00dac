//! Of some threads, let only so many be in native calls at a time.
//!
//! Who has left a call and waits for the interpreter lock has left its place to another thread. So a team of one thread more than
//! there are places keeps all places taken, although the lock is somebody else's for milliseconds.

use crate::call::is_ending;
use pyo3::prelude::*;
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

thread_local! {
    /// Where the calls of this thread take their places; nothing while one of them has a place.
    static PLACES: Cell<Option<Arc<Places>>> = const { Cell::new(None) };
}

/// How often a call that waits for a place looks at whether it is to end.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Lets so many calls of the threads that keep to it run at a time; the others wait, without the interpreter lock.
#[pyclass(frozen, module = "offgraph._native")]
pub struct CallLimit(Arc<Places>);

#[pymethods]
impl CallLimit {
    #[new]
    fn new(calls: isize) -> Self {
        let free = Mutex::new(calls.max(1));
        Self(Arc::new(Places { free, freed: Condvar::new(), waited: AtomicU64::new(0) }))
    }

    /// Let calls from this thread wait for one another's end where there are too many.
    fn keep(&self) {
        PLACES.set(Some(Arc::clone(&self.0)));
    }

    /// Seconds that these threads have waited for the interpreter lock after their calls.
    fn waited(&self) -> f64 {
        Duration::from_nanos(self.0.waited.load(Ordering::Relaxed)).as_secs_f64()
    }
}

struct Places {
    /// Below zero where calls went in to end at once.
    free: Mutex<isize>,
    freed: Condvar,
    /// Nanoseconds that threads have waited for the interpreter lock after their calls.
    waited: AtomicU64,
}

/// A place, until it is left or dropped. Calls that its call makes by a callback need none.
pub struct Place(Arc<Places>);

impl Place {
    /// Wait for a place, where this thread keeps to a limit; a call that is to end has it at once.
    pub fn taken() -> Option<Self> {
        let places = PLACES.take()?;
        let mut free = places.free.lock().unwrap_or_else(PoisonError::into_inner);
        while *free <= 0 && !is_ending() {
            let woken = places.freed.wait_timeout(free, LOOK_INTERVAL);
            free = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        *free -= 1;
        drop(free);
        Some(Self(places))
    }

    /// Leave it, before the thread waits for the interpreter lock.
    pub fn leave(self) -> Left {
        Left { places: Arc::clone(&self.0), at: Instant::now() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
        PLACES.set(Some(Arc::clone(&self.0)));
    }
}

/// A place that was left, and when.
pub struct Left {
    places: Arc<Places>,
    at: Instant,
}

impl Left {
    /// Count the time until now, when the thread has the interpreter lock.
    pub fn count_wait(self) {
        let waited = u64::try_from(self.at.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.places.waited.fetch_add(waited, Ordering::Relaxed);
    }
}
