//! What is printed and kept of a run.

mod curves;
mod document;
mod plot;
mod summary;
mod table;

pub(crate) use curves::curves;
pub(crate) use document::document;
pub(crate) use plot::plot;
pub(crate) use summary::Report;
pub(crate) use table::table;
