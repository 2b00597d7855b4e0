//! The thread that opens and reads published files, because a disk that starts or a network drive may take seconds.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use halloo_proto::defaults::MAX_FILE_JOBS;

use super::command_queue::CommandQueue;
use super::http_request::HttpRequest;
use crate::files::{Answer, Files, Rest};

/// What the thread is to read, for the connection in `slot`.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) slot: usize,
    pub(super) ticket: u64,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    /// The beginning of the response to a request, with one of these files.
    Open(HttpRequest, Arc<Files>),
    /// The next slice.
    Read(Rest),
}

/// What was read.
#[derive(Debug)]
pub(super) struct JobResult {
    pub(super) slot: usize,
    pub(super) ticket: u64,
    pub(super) outcome: io::Result<Answer>,
}

/// A handle of the thread, which ends when this is dropped. It is not joined, because the disk may not respond.
#[derive(Debug)]
pub(super) struct FileReader {
    jobs: SyncSender<Job>,
    results: Receiver<JobResult>,
}

impl FileReader {
    /// Starts the thread, which wakes the reactor through `commands`.
    pub(super) fn start(commands: Arc<CommandQueue>) -> io::Result<FileReader> {
        let (jobs, waiting) = sync_channel(MAX_FILE_JOBS);
        let (sender, results) = channel();
        let builder = std::thread::Builder::new().name("halloo-files".into());
        builder.spawn(move || run(&waiting, &sender, &commands))?;
        Ok(FileReader { jobs, results })
    }

    /// Queues `job`. Returns `false` if too many wait.
    pub(super) fn submit(&self, job: Job) -> bool {
        self.jobs.try_send(job).is_ok()
    }

    /// Removes and returns one result.
    pub(super) fn poll(&self) -> Option<JobResult> {
        self.results.try_recv().ok()
    }
}

fn run(jobs: &Receiver<Job>, results: &Sender<JobResult>, commands: &CommandQueue) {
    for Job { slot, ticket, work } in jobs {
        let outcome = work.execute();
        if results.send(JobResult { slot, ticket, outcome }).is_err() {
            return;
        }
        commands.wake();
    }
}

impl Work {
    /// Reads from the disk or from memory.
    pub(super) fn execute(self) -> io::Result<Answer> {
        match self {
            Work::Open(request, files) => request.answer(&files),
            Work::Read(rest) => rest.read(),
        }
    }
}
