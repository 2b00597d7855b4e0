//! After which end a client connects again, and when.

use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::reconnect::{Backoff, Certainty, Ending, RetryLimit, is_final_code, is_final_status};
use serde_json::{Value, json};

use crate::case_file::{Case, check, number_of, text_of};

fn number(case: &Case, key: &str) -> u16 {
    number_of(case, key).try_into().unwrap()
}

fn end(is_final: bool) -> Value {
    if is_final { "end".into() } else { "pause".into() }
}

#[test]
fn close_codes() {
    check("close-codes.json", |case| end(is_final_code(number(case, "code").into())));
}

#[test]
fn statuses_of_a_refused_handshake() {
    check("statuses.json", |case| end(is_final_status(number(case, "status"))));
}

#[test]
fn ends_of_attempts_and_connections() {
    check("endings.json", |case| {
        let known = case["known"].as_array().unwrap().iter().map(|word| word.as_str().unwrap());
        let certainty = known.fold(Certainty::default(), |certainty, word| match word {
            "given" => Certainty { is_given: true, ..certainty },
            "found" => Certainty { is_found: true, ..certainty },
            "proven" => Certainty { is_proven: true, ..certainty },
            "stable" => Certainty { is_stable: true, ..certainty },
            "others" => Certainty { has_others: true, ..certainty },
            other => panic!("unknown: {other}"),
        });
        let ending = match text_of(case, "ending") {
            "closed" => Ending::Closed(number(case, "code").into()),
            "refused" => Ending::Refused(number(case, "status")),
            "wrong server" => Ending::WrongServer,
            "no WebSocket" => Ending::NotWebSocket,
            "certificate not trusted" => Ending::NotTrusted { is_pinned: false },
            "certificate not pinned" => Ending::NotTrusted { is_pinned: true },
            "lost" => Ending::Lost,
            other => panic!("unknown: {other}"),
        };
        if certainty.is_final(ending) { "end".into() } else { "go on".into() }
    });
}

#[test]
fn pauses_between_attempts() {
    check("pauses.json", |case| {
        let limit = |key| case.get(key).map(|value| value.as_u64().unwrap());
        let retry_limit = RetryLimit {
            max_attempts: limit("max_attempts").map(|attempts| attempts.try_into().unwrap()),
            max_elapsed: limit("max_elapsed_ms").map(Duration::from_millis),
        };
        let mut backoff = Backoff::new(retry_limit, Time::ZERO);
        let mut results = Vec::new();
        for step in case["steps"].as_array().unwrap() {
            let step = step.as_object().unwrap();
            let at = |key| Time::ZERO + Duration::from_millis(number_of(step, key));
            if step.contains_key("connected_ms") {
                backoff.handle_connected(at("connected_ms"));
                continue;
            }
            let now = at("failed_ms");
            let pause = |random| backoff.clone().handle_failure(now, random).map(|pause| pause.as_millis() as u64);
            results.push(match (pause(0), pause(u32::MAX)) {
                (Some(shortest), Some(longest)) => json!({ "pause_ms": [shortest, longest] }),
                // A long pause would pass the limit.
                (Some(_), None) => json!("pause or end"),
                _ => json!("end"),
            });
            backoff.handle_failure(now, 0);
        }
        Value::Array(results)
    });
}
