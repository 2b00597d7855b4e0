//! The threads that open and read published files, because a disk that starts or a network drive may take seconds.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use halloo_proto::defaults::MAX_FILE_JOBS;

use super::command_queue::CommandQueue;
use super::http_request::HttpRequest;
use crate::files::{Answer, Files, Rest};

/// Maximum number of threads: files that replace those on a drive that hangs are read by another one.
const MAX_THREADS: usize = 2;

/// What a thread is to read, for the connection in `slot`.
#[derive(Debug)]
pub(super) struct Job {
    /// The number of the thread.
    pub(super) reader: usize,
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
    reader: usize,
    pub(super) slot: usize,
    pub(super) ticket: u64,
    pub(super) outcome: io::Result<Answer>,
}

/// The threads that read files, and what they have read.
#[derive(Debug)]
pub(super) struct FileReaders {
    commands: Arc<CommandQueue>,
    sender: Sender<JobResult>,
    results: Receiver<JobResult>,
    /// Started when they are needed.
    readers: [Option<FileReader>; MAX_THREADS],
    latest: usize,
}

/// A handle of a thread, which ends when this is dropped. It is not joined, because the disk may not respond.
#[derive(Debug)]
struct FileReader {
    jobs: SyncSender<Job>,
    /// Jobs whose results were not polled.
    count: usize,
}

impl FileReaders {
    /// Starts no thread yet. They will wake the reactor through `commands`.
    pub(super) fn new(commands: Arc<CommandQueue>) -> FileReaders {
        let (sender, results) = channel();
        FileReaders { commands, sender, results, readers: Default::default(), latest: 0 }
    }

    /// Returns the number of the thread for files that replace those so far: another one, because their drive may hang,
    /// unless that one is busy or cannot be started.
    ///
    /// # Errors
    /// That of the system, if the first thread cannot be started.
    pub(super) fn start(&mut self) -> io::Result<usize> {
        let other = match self.readers[self.latest] {
            Some(_) => (self.latest + 1) % MAX_THREADS,
            None => self.latest,
        };
        let is_free = match &mut self.readers[other] {
            Some(reader) => reader.count == 0,
            none => match FileReader::start(self.sender.clone(), Arc::clone(&self.commands)) {
                Ok(reader) => none.insert(reader).count == 0,
                Err(error) if other == self.latest => return Err(error),
                Err(_) => false,
            },
        };
        if is_free {
            self.latest = other;
        }
        Ok(self.latest)
    }

    /// Queues `job`. Returns `false` if too many wait for this thread.
    pub(super) fn submit(&mut self, job: Job) -> bool {
        let Some(reader) = &mut self.readers[job.reader] else { return false };
        let is_queued = reader.jobs.try_send(job).is_ok();
        reader.count += usize::from(is_queued);
        is_queued
    }

    /// Removes and returns one result.
    pub(super) fn poll(&mut self) -> Option<JobResult> {
        let result = self.results.try_recv().ok()?;
        if let Some(reader) = &mut self.readers[result.reader] {
            reader.count -= 1;
        }
        Some(result)
    }
}

impl FileReader {
    fn start(results: Sender<JobResult>, commands: Arc<CommandQueue>) -> io::Result<FileReader> {
        let (jobs, waiting) = sync_channel(MAX_FILE_JOBS);
        let builder = std::thread::Builder::new().name("halloo-files".into());
        builder.spawn(move || run(&waiting, &results, &commands))?;
        Ok(FileReader { jobs, count: 0 })
    }
}

fn run(jobs: &Receiver<Job>, results: &Sender<JobResult>, commands: &CommandQueue) {
    for Job { reader, slot, ticket, work } in jobs {
        let outcome = work.execute();
        if results.send(JobResult { reader, slot, ticket, outcome }).is_err() {
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
