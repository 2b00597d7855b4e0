//! The preparation of a platform, which may be impossible on this machine.

use std::path::Path;

use anyhow::Result;

use super::host::require_host;
use super::platform::Platform;
use crate::ci::or_skip;
use crate::report::{Report, Tally};

/// Prepares a platform.
pub(super) type Prepare = fn(&Path) -> Result<Platform>;

/// Prepares a platform as a step; `None` if it is not possible here, which is an error in a CI service.
pub(super) fn set_up(root: &Path, report: &mut Report, prepare: Prepare) -> Result<Option<Platform>> {
    let mut platform = None;
    report.step("set-up", "check the network connection, or delete target/cross and try again", || {
        platform = or_skip(require_host().and_then(|()| prepare(root)), |error| {
            format!("nothing was built or tested for the other platform: {error:#}")
        })?;
        Ok(platform.as_ref().map_or(Tally::SKIPPED, |_| Tally::PASSED))
    })?;
    Ok(platform)
}
