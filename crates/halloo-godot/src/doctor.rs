//! Why is it not found? The diagnosis of this machine, for the dock and for games.

use std::thread::{self, JoinHandle};

use godot::global::Error;
use godot::prelude::*;
use halloo::{Diagnosis, Finding, Severity};

use crate::{convert, log};

/// Looks at this machine as `halloo doctor` does; no server has to run, and none is started.
///
/// ```gdscript
/// var doctor := HallooDoctor.new()
/// doctor.examine()
/// while doctor.is_busy(): await get_tree().process_frame
/// for finding in doctor.get_findings(): print(finding.severity, " ", finding.text)
/// ```
// The dock makes one in the editor, where other classes are only placeholders.
#[derive(GodotClass)]
#[class(tool, init, base = RefCounted)]
pub(crate) struct HallooDoctor {
    /// The probing takes seconds. Its thread touches nothing of the engine, which the bindings allow to the main thread
    /// alone.
    examination: Option<JoinHandle<Diagnosis>>,
    diagnosis: Option<Diagnosis>,
}

#[godot_api]
impl HallooDoctor {
    /// Begins to look, on a thread of its own; `ERR_BUSY` while it looks already.
    #[func]
    fn examine(&mut self) -> Error {
        if self.is_busy() {
            return Error::ERR_BUSY;
        }
        self.diagnosis = None;
        match thread::Builder::new().name("halloo-doctor".into()).spawn(halloo::diagnose) {
            Ok(examination) => self.examination = Some(examination),
            Err(error) => {
                log::complain(&format!("cannot examine this machine: {error}; close some programs and try again"));
                return Error::ERR_CANT_CREATE;
            }
        }
        Error::OK
    }

    /// Whether it still looks.
    #[func]
    fn is_busy(&mut self) -> bool {
        if let Some(examination) = self.examination.take_if(|examination| examination.is_finished()) {
            self.diagnosis = examination.join().ok();
            if self.diagnosis.is_none() {
                log::complain("the examination of this machine broke off; run `halloo doctor` on a terminal");
            }
        }
        self.examination.is_some()
    }

    /// What was found: `severity` ("ok", "warn" or "fail"), `about`, `text`, and `todo`, empty when there is nothing to
    /// do. Empty before the first examination, while it looks, and when that broke off.
    #[func]
    fn get_findings(&mut self) -> Array<VarDictionary> {
        if self.is_busy() {
            return Array::new();
        }
        self.diagnosis.iter().flat_map(|diagnosis| &diagnosis.findings).map(finding).collect()
    }

    /// What no program can see from one machine, a line each; empty when `get_findings()` is.
    #[func]
    fn get_beyond(&mut self) -> PackedStringArray {
        if self.is_busy() {
            return PackedStringArray::new();
        }
        self.diagnosis.iter().flat_map(|diagnosis| &diagnosis.beyond).map(GString::from).collect()
    }
}

impl Drop for HallooDoctor {
    fn drop(&mut self) {
        // A thread must not outlive the library that its code is in.
        if let Some(examination) = self.examination.take() {
            examination.join().ok();
        }
    }
}

fn finding(finding: &Finding) -> VarDictionary {
    let severity = match finding.severity {
        Severity::Ok => "ok",
        Severity::Warn => "warn",
        Severity::Fail => "fail",
    };
    vdict! {
        "severity" => &GString::from(severity),
        "about" => &GString::from(finding.about),
        "text" => &convert::string(&finding.text),
        "todo" => &convert::string(finding.advice.as_deref().unwrap_or_default()),
    }
}
