//! One thread in which ladders are made and freed.
//!
//! An allocator keeps memory for each thread that asks for it, and gives back what lies in one piece. To make a ladder
//! takes several times what the ladder itself needs: were each made where the wish for it came from, that would be kept
//! for each of those threads, and mixed with what lives as long as the run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crossbeam_channel::{Sender, bounded};

type Job = Box<dyn FnOnce() + Send>;

/// A handle of the thread, which ends with it.
pub(crate) struct Workshop(Sender<Job>);

impl Workshop {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn open() -> std::io::Result<Self> {
        let (jobs, waiting) = bounded::<Job>(0);
        std::thread::Builder::new().name("gaitd-workshop".to_owned()).spawn(move || {
            for job in waiting {
                job();
            }
        })?;
        Ok(Self(jobs))
    }

    /// Does `work` there, and waits for what comes of it; nothing comes of work that panics, and that is all that it
    /// spoils.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, outcome) = bounded(1);
        let job = move || {
            // somebody waits: the channel is open
            let _ = done.send(catch_unwind(AssertUnwindSafe(work)).ok());
        };
        self.0.send(Box::new(job)).ok()?;
        outcome.recv().ok()?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_done_in_one_thread_and_a_panic_spoils_nothing_else() {
        let workshop = Workshop::open().unwrap();
        let thread = || std::thread::current().id();
        let first = workshop.run(thread).unwrap();
        assert_ne!(first, thread());
        assert!(workshop.run(|| panic!("spoilt")).is_none());
        assert_eq!(workshop.run(thread), Some(first));
    }
}
