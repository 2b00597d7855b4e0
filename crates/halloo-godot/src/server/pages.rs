//! What the server shows to browsers: the files of the project, the pad, or its own page.

use godot::global::Error;
use godot::prelude::*;
use halloo::{Delivery, Files, Stopped};

use super::HallooServer;
use crate::{convert, log, pad_layout};

#[godot_api(secondary)]
impl HallooServer {
    /// Publishes files, whose contents are `PackedByteArray`s by their paths, such as `img/cat.png`; `/` is `index.html`. An
    /// empty dictionary ends it. `WebSocketServer.serve_files` reads a folder of the project.
    ///
    /// Returns OK, ERR_INVALID_DATA if a path is one that no browser can request, or ERR_BUSY like `show_pad`.
    #[func]
    fn set_files(&mut self, files: VarDictionary) -> Error {
        let count = files.len();
        let contents = files.iter_shared().map(|(path, content)| {
            let content = content.try_to::<PackedByteArray>().unwrap_or_default();
            (convert::text(&path.stringify()), content.to_vec())
        });
        let files = match Files::memory(contents) {
            Ok(files) => Some(files).filter(|_| count > 0),
            Err(error) => {
                log::error(&format!("cannot serve the files: {error}"));
                return Error::ERR_INVALID_DATA;
            }
        };
        for path in files.iter().flat_map(Files::shadowed) {
            tracing::warn!("the file at {path} is not served, because this is a page of the server; rename the file");
        }
        let files = self.pages.set_files(files);
        self.replace(|server| server.set_www(files))
    }

    /// Makes the pad with this layout the page at `/`, unless there are files; an empty dictionary is the default layout. It
    /// takes the place of the setting `halloo/pad` until `hide_pad` is called.
    ///
    /// Returns OK, ERR_INVALID_PARAMETER if the layout is invalid, or ERR_BUSY if too much waits for the server: then the page
    /// changes at its next start, or when this is called again.
    #[func]
    fn show_pad(&mut self, layout: VarDictionary) -> Error {
        let json = pad_layout::json_of(&layout.to_variant()).unwrap_or_default();
        if let Some(fault) = pad_layout::fault(&json) {
            log::error(&format!("this is no layout of the pad: {fault}"));
            return Error::ERR_INVALID_PARAMETER;
        }
        let layout = self.pages.choose_pad(Some(json.parse().unwrap_or_default()));
        self.replace(|server| server.set_pad(layout))
    }

    /// Makes the page at `/` what it is without `show_pad`. Returns OK, or ERR_BUSY like `show_pad`.
    #[func]
    fn hide_pad(&mut self) -> Error {
        let layout = self.pages.choose_pad(None);
        self.replace(|server| server.set_pad(layout))
    }

    /// Returns whether the page at `/` is the pad.
    #[func]
    fn is_pad_shown(&self) -> bool {
        self.pages.is_pad_shown()
    }
}

impl HallooServer {
    /// A server that is not running does it when it starts.
    fn replace(&self, replace: impl FnOnce(&halloo::Server) -> Result<Delivery, Stopped>) -> Error {
        self.running().map_or(Error::OK, |server| match replace(server) {
            Err(Stopped) => Error::OK,
            delivery => convert::delivery(delivery),
        })
    }
}
