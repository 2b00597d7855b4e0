//! What a project shows to browsers.

use halloo::{Config, Files, PadLayout};

/// The pages of a server. They are kept when it is stopped and started again.
#[derive(Default)]
pub(crate) struct Pages {
    files: Option<Files>,
    /// The layout in the settings of the project.
    configured_pad: Option<PadLayout>,
    /// The layout that a script chose instead.
    chosen_pad: Option<PadLayout>,
}

impl Pages {
    /// Completes the settings for a start.
    pub(crate) fn configure(&mut self, config: &mut Config) {
        self.configured_pad = config.pad.take();
        config.www = self.files.clone();
        config.pad = self.pad();
    }

    /// Replaces the files, and returns them.
    pub(crate) fn set_files(&mut self, files: Option<Files>) -> Option<Files> {
        self.files = files;
        self.files.clone()
    }

    /// Sets the layout that a script chose, or none, and returns the one that is shown then.
    pub(crate) fn choose_pad(&mut self, layout: Option<PadLayout>) -> Option<PadLayout> {
        self.chosen_pad = layout;
        self.pad()
    }

    /// Returns whether the page at `/` is the pad.
    pub(crate) fn is_pad_shown(&self) -> bool {
        self.files.is_none() && self.pad().is_some()
    }

    fn pad(&self) -> Option<PadLayout> {
        self.chosen_pad.as_ref().or(self.configured_pad.as_ref()).cloned()
    }
}
