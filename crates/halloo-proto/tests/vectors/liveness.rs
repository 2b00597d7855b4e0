//! When a client pings, and when it gives a silent server up.

use std::time::Duration;

use halloo_proto::Time;
use halloo_proto::frame::Role;
use halloo_proto::keepalive::{Keepalive, KeepaliveAction};
use halloo_proto::read_pauses::ReadPauses;
use serde_json::{Value, json};

use crate::case_file::{Case, check, number_of, text_of};

#[test]
fn silence_leads_to_a_ping_and_to_the_end() {
    check("liveness.json", run);
}

fn run(case: &Case) -> Value {
    let heartbeat = Duration::from_millis(number_of(case, "heartbeat_ms"));
    let at = |case, key| Time::ZERO + Duration::from_millis(number_of(case, key));
    let end = at(case, "until_ms");
    let (mut keepalive, mut pauses) = (Keepalive::new(Time::ZERO), ReadPauses::default());
    let mut actions = Vec::new();
    let mut act = |now: Time, action| actions.push(json!({ "at_ms": now.as_micros() / 1000, "action": action }));
    if !heartbeat.is_zero() {
        keepalive.handle_ping_sent(Time::ZERO);
        act(Time::ZERO, "ping");
    }
    let mut steps = case["steps"].as_array().unwrap().iter().map(|step| step.as_object().unwrap()).peekable();
    loop {
        let due = match keepalive.poll(Role::Client, heartbeat, &pauses, false) {
            KeepaliveAction::Wait(until) => until,
            KeepaliveAction::Ping => {
                act(pauses.now(), "ping");
                continue;
            }
            KeepaliveAction::Pong => {
                act(pauses.now(), "pong");
                continue;
            }
            KeepaliveAction::Dead => {
                act(pauses.now(), "dead");
                return actions.into();
            }
        };
        let step = steps.peek().filter(|step| at(step, "at_ms") <= due);
        let next = step.map_or(due, |step| at(step, "at_ms"));
        if next > end {
            return actions.into();
        }
        pauses.handle_turn(next, Some(next - pauses.now()), heartbeat);
        let Some(step) = steps.next_if(|step| at(step, "at_ms") <= due) else { continue };
        match text_of(step, "what") {
            "bytes" => keepalive.handle_bytes(next),
            "pong" => {
                keepalive.handle_bytes(next);
                keepalive.handle_pong(&pauses);
            }
            "asleep" => pauses.handle_turn(at(step, "until_ms"), Some(due - next), heartbeat),
            "stops reading" => pauses.pause(),
            "reads again" => pauses.resume(),
            other => panic!("unknown: {other}"),
        }
    }
}
