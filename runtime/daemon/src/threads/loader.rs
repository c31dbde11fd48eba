//! One thread in which ladders are made and freed.
//!
//! An allocator keeps memory for each thread that asks for it, and gives back what lies in one piece. To make a ladder
//! takes several times what the ladder itself needs: were each made where the wish for it came from, that would be kept
//! for each of those threads, and mixed with what lives as long as the run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, bounded};

type Job = Box<dyn FnOnce() + Send>;

/// The thread, which ends when this is dropped.
pub(crate) struct LoaderThread {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl LoaderThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(crate) fn spawn() -> std::io::Result<Self> {
        let (jobs, waiting) = bounded::<Job>(0);
        let thread = super::spawn("loader", None, move || {
            for job in waiting {
                job();
            }
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` in the thread and returns its result; nothing where it panics, which ends neither thread.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (done, outcome) = bounded(1);
        let job = move || {
            // the caller waits below: the channel is open
            let _ = done.send(catch_unwind(AssertUnwindSafe(work)).ok());
        };
        self.jobs.as_ref()?.send(Box::new(job)).ok()?;
        outcome.recv().ok()?
    }
}

impl Drop for LoaderThread {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take() {
            // its jobs catch their panics
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_work_runs_in_one_thread_which_survives_a_panic() {
        let loader = LoaderThread::spawn().unwrap();
        let thread = || std::thread::current().id();
        let first = loader.run(thread).unwrap();
        assert_ne!(first, thread());
        assert!(loader.run(|| panic!("spoilt")).is_none());
        assert_eq!(loader.run(thread), Some(first));
    }
}
