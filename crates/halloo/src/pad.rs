//! The pad, a game controller for browsers: a document with the layout in it, and a module that other pages can use, too.

use halloo_proto::pad_layout::PadLayout;

use crate::Config;

/// The module. Its style is a template literal.
pub(crate) const SCRIPT: &str = concat!(
    "import { connect } from \"./client.js\";\nconst CSS = String.raw`\n",
    include_str!("pad/pad.css"),
    "`;\n",
    include_str!("pad/layout.js"),
    include_str!("pad/sender.js"),
    include_str!("pad/controls.js"),
    include_str!("pad/player.js"),
    include_str!("pad/phone.js"),
    include_str!("pad/pad.js"),
);

/// The documents of a server.
#[derive(Debug)]
pub(crate) struct PadPages {
    /// The name of the server.
    name: String,
    root: Option<String>,
    page: String,
}

impl PadPages {
    pub(crate) fn new(config: &Config) -> PadPages {
        let mut pages = PadPages { name: config.name.clone(), root: None, page: String::new() };
        pages.set_layout(config.pad.as_ref());
        pages
    }

    /// Makes the pad with this layout the document for `/`; with `None`, it is only at its own path.
    pub(crate) fn set_layout(&mut self, layout: Option<&PadLayout>) {
        let shown = layout.cloned().unwrap_or_default();
        // A proxy may serve both below a path, so they name the files relative to their own address.
        let render = |base: &str| {
            let data = format!(r#"{{"name":{},"layout":{shown}}}"#, serde_json::json!(self.name));
            include_str!("pad/pad.html").replace("BASE", base).replace("DATA", &data.replace('<', "\\u003c"))
        };
        (self.root, self.page) = (layout.map(|_| render("_halloo/")), render(""));
    }

    /// Returns the document for `/`, if it is the pad.
    pub(crate) fn root(&self) -> Option<&str> {
        self.root.as_deref()
    }

    /// Returns the document for `/_halloo/pad`.
    pub(crate) fn page(&self) -> &str {
        &self.page
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assets;

    #[test]
    fn the_pad_has_at_most_40_kibibytes_and_all_of_its_page_60() {
        let size = |path| assets::find(path).len();
        let pad = PadPages::new(&Config::default().name("A game")).page().len()
            + ["/_halloo/pad.js", "/_halloo/pad.png", "/_halloo/pad.webmanifest"].map(size).iter().sum::<usize>();
        assert!(pad <= 40 << 10, "{pad} bytes");
        let all = pad + size("/_halloo/client.js");
        assert!(all <= 60 << 10, "{all} bytes");
    }

    #[test]
    fn a_name_cannot_leave_the_data_of_the_document() {
        let config = Config::default().name("</script><b>\"x\"").pad(PadLayout::default());
        let pages = PadPages::new(&config);
        let root = pages.root().unwrap();
        assert!(root.contains(r#""name":"\u003c/script>\u003cb>\"x\"","layout":{"left":"stick""#), "{root}");
        assert!(root.contains("src=\"_halloo/pad.js\"") && pages.page().contains("src=\"pad.js\""));
    }
}
