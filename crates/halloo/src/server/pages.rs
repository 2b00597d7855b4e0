//! What a server shows to browsers, replaced while it runs.

use halloo_proto::pad_layout::PadLayout;

use super::Server;
use crate::reactor::{Command, PagesCommand, Submitted};
use crate::{Delivery, Files, Stopped};

impl Server {
    /// Replaces the files that are published, [`Config::www`](crate::Config::www); with `None`, `/` is a page of the server
    /// again. No client is disconnected, and a response that has begun is completed.
    ///
    /// Waits for the server for one turn at most, so that the files are published when this returns. On the server's own
    /// thread it returns at once. [`Delivery::Backpressure`] means that too many commands wait: try again later.
    ///
    /// Files that replace a directory on a drive that hangs do not wait for it: those in memory never wait, and another
    /// directory is read by another thread. There are at most two such threads, so while both are busy, the files in a third
    /// directory wait for the second, and their requests end after 30 s if it hangs.
    ///
    /// ```
    /// use halloo::{Config, Files, Server};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::start(Config::local())?;
    /// server.set_www(Files::memory([("index.html", "<title>Level 2</title>")])?)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Stopped`] if the server has stopped.
    pub fn set_www(&self, files: impl Into<Option<Files>>) -> Result<Delivery, Stopped> {
        self.replace_pages(PagesCommand::Files(files.into().map(Box::new)))
    }

    /// Replaces the layout of the pad that is the page at `/`, [`Config::pad`](crate::Config::pad); with `None`, the pad is
    /// only at `/_halloo/pad`. Pads that are open keep their layout until the application sends another. Waits like
    /// [`Server::set_www`].
    ///
    /// ```
    /// use halloo::{Config, PadLayout, Server};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Server::start(Config::local())?;
    /// server.set_pad(r#"{"middle": ["buzz"]}"#.parse::<PadLayout>()?)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Stopped`] if the server has stopped.
    pub fn set_pad(&self, layout: impl Into<Option<PadLayout>>) -> Result<Delivery, Stopped> {
        self.replace_pages(PagesCommand::Pad(layout.into().map(Box::new)))
    }

    fn replace_pages(&self, command: PagesCommand) -> Result<Delivery, Stopped> {
        let (reply, response) = std::sync::mpsc::sync_channel(1);
        match self.commands.submit(Command::Pages(command, reply)) {
            Submitted::Queued if self.is_on_reactor() => Ok(Delivery::Queued),
            Submitted::Queued => response.recv().map(|()| Delivery::Queued).map_err(|_| Stopped),
            Submitted::Full => Ok(Delivery::Backpressure),
            Submitted::Closed => Err(Stopped),
        }
    }
}
