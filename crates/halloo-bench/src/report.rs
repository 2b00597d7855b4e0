//! The report of a run: a table for the terminal, and the files that are kept.

mod document;
mod summary;
mod table;

mod curves;
mod plot;

mod svg;

pub(crate) use curves::curves;
pub(crate) use document::document;
pub(crate) use plot::plot;
pub(crate) use summary::{Report, Summary};
pub(crate) use table::table;
