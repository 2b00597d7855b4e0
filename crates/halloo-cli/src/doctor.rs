//! `halloo doctor`: diagnoses why a server is not found.

use std::io::Write;

use halloo::{Diagnosis, Severity};

/// Prints the findings. Returns whether no check failed.
pub(crate) fn run(json: bool) -> anyhow::Result<bool> {
    let diagnosis = halloo::diagnose();
    // Strips colours unless they are enabled.
    let mut out = anstream::stdout();
    if json {
        writeln!(out, "{}", serde_json::to_string(&diagnosis)?)?;
    } else {
        out.write_all(report(&diagnosis).as_bytes())?;
    }
    Ok(diagnosis.healthy)
}

fn report(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for finding in &diagnosis.findings {
        let (mark, colour) = match finding.severity {
            Severity::Ok => ("ok  ", "32"),
            Severity::Warn => ("warn", "33"),
            Severity::Fail => ("FAIL", "31"),
        };
        text += &format!("\x1b[{colour}m{mark}\x1b[0m  {:<9}  {}\n", finding.about, finding.text);
        if let Some(advice) = &finding.advice {
            text += &format!("                 -> {advice}\n");
        }
    }
    text += "\nWhat cannot be checked from here:\n";
    for line in &diagnosis.limitations {
        text += &format!("  {line}\n");
    }
    let count = |severity| diagnosis.findings.iter().filter(|finding| finding.severity == severity).count();
    let summary = match (count(Severity::Fail), count(Severity::Warn)) {
        (0, 0) => "No problem was found on this machine.".into(),
        (0, warnings) => format!("No check failed on this machine; warnings: {warnings}."),
        (failures, warnings) => format!("Failed checks on this machine: {failures}; warnings: {warnings}."),
    };
    text + "\n" + &summary + "\n"
}
