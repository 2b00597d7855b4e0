//! The doctor for the dock and for games: examines this machine to find out why a server is not found.

use std::thread::{self, JoinHandle};

use godot::global::Error;
use godot::prelude::*;
use halloo::{Diagnosis, Finding, Severity};

use crate::{convert, log};

/// Examines this machine like `halloo doctor`. It neither requires nor starts a server.
///
/// ```gdscript
/// var doctor := HallooDoctor.new()
/// doctor.examine()
/// while doctor.is_busy(): await get_tree().process_frame
/// for finding in doctor.get_findings(): print(finding.severity, " ", finding.text)
/// ```
// A tool class, because the dock creates one in the editor, where other classes are placeholders.
#[derive(GodotClass)]
#[class(tool, init, base = RefCounted)]
pub(crate) struct HallooDoctor {
    /// Takes seconds. Its thread does not call the engine, which the bindings allow only on the main thread.
    examination: Option<JoinHandle<Diagnosis>>,
    diagnosis: Option<Diagnosis>,
}

#[godot_api]
impl HallooDoctor {
    /// Starts the examination on a thread of its own. Returns OK, ERR_BUSY if one is running, or ERR_CANT_CREATE if the system
    /// refuses a thread.
    #[func]
    fn examine(&mut self) -> Error {
        if self.is_busy() {
            return Error::ERR_BUSY;
        }
        self.diagnosis = None;
        match thread::Builder::new().name("halloo-doctor".into()).spawn(halloo::diagnose) {
            Ok(examination) => self.examination = Some(examination),
            Err(error) => {
                log::error(&format!("cannot start the examination: {error}; close other programs and try again"));
                return Error::ERR_CANT_CREATE;
            }
        }
        Error::OK
    }

    /// Returns `true` while the examination is running.
    #[func]
    fn is_busy(&mut self) -> bool {
        if let Some(examination) = self.examination.take_if(|examination| examination.is_finished()) {
            self.diagnosis = examination.join().ok();
            if self.diagnosis.is_none() {
                log::error("the examination failed; run `halloo doctor` in a terminal for details");
            }
        }
        self.examination.is_some()
    }

    /// Returns a dictionary for each finding: `severity` ("ok", "warn" or "fail"), `about`, `text`, and `todo`, which is empty
    /// if there is nothing to do. Returns an empty array before the first examination, while one is running, and when it has
    /// failed.
    #[func]
    fn get_findings(&mut self) -> Array<VarDictionary> {
        if self.is_busy() {
            return Array::new();
        }
        self.diagnosis.iter().flat_map(|diagnosis| &diagnosis.findings).map(finding).collect()
    }

    /// Returns what cannot be checked from this machine, one line each; empty if `get_findings()` is.
    #[func]
    fn get_limitations(&mut self) -> PackedStringArray {
        if self.is_busy() {
            return PackedStringArray::new();
        }
        self.diagnosis.iter().flat_map(|diagnosis| &diagnosis.limitations).map(GString::from).collect()
    }
}

impl Drop for HallooDoctor {
    fn drop(&mut self) {
        // The engine may unload the library that contains the code of the thread.
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
