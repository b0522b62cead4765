//! Carries requests to the simulated Kroger and answers back, and decides the fate of
//! each on the way.
//!
//! It never decides what Kroger answers about a token; `kroger` does.

use std::time::Duration;

use kroger_core::ports::{Response, SendError};

use crate::network::{Fate, Wire, garbled, response, wired};
use crate::process::{CallId, PortAnswer};
use crate::simulation::{ScheduledEvent, Simulation};
use crate::time::{SECOND, Time};
use crate::weather::is_within;

impl Simulation {
    /// Draws the fate of the next request.
    pub(crate) fn fate(&mut self) -> Fate {
        let fate = self.any_fate();
        if let Some(name) = fate.name() {
            self.counts.fault(name);
        }
        fate
    }

    fn any_fate(&mut self) -> Fate {
        let network = &self.weather.network;
        if is_within(network.client_refused, self.now) {
            return Fate::ClientRefused;
        }
        if self.now >= self.weather.until {
            return Fate::Fine;
        }
        if is_within(network.outage, self.now) {
            let outages = [Fate::NotSent, Fate::RequestLost, Fate::Portal, Fate::FailedBefore];
            return self.random.pick(&outages);
        }
        let rates = [
            (network.not_sent, Fate::NotSent),
            (network.request_lost, Fate::RequestLost),
            (network.reply_lost, Fate::ReplyLost),
            (network.reply_late, Fate::ReplyLate),
            (network.request_late, Fate::RequestLate),
            (network.slow, Fate::Slow),
            (network.garbled, Fate::Garbled),
            (network.failed_before, Fate::FailedBefore),
            (network.failed_after, Fate::FailedAfter),
            (network.busy, Fate::Busy),
            (network.portal, Fate::Portal),
        ];
        let befallen = rates.into_iter().find(|(rate, _)| self.random.chance(*rate));
        befallen.map_or(Fate::Fine, |(_, fate)| fate)
    }

    /// Lets a request arrive at Kroger, or at a proxy that answers in Kroger's place.
    pub(crate) fn arrive(&mut self, call: CallId, serial: u64, wire: &Wire, fate: Fate) {
        let machine = self.calls[call].machine;
        let answer = match fate {
            Fate::FailedBefore => response(503, "upstream unavailable"),
            Fate::Busy => self.busy(),
            Fate::Portal => self.portal(),
            Fate::ClientRefused => {
                response(401, r#"{"error":"unauthorized","error_description":"invalid credentials"}"#)
            }
            _ => self.process(call, serial, wire, fate),
        };
        self.note(call, machine, || format!("Kroger answers {} with {} ({fate:?})", wire.text(), text(&answer)));
        match fate {
            Fate::ReplyLost | Fate::RequestLate => {}
            Fate::Garbled => self.deliver(call, serial, garbled(answer), fate),
            Fate::FailedAfter => self.deliver(call, serial, response(502, "<html>Bad Gateway</html>"), fate),
            _ => self.deliver(call, serial, answer, fate),
        }
    }

    fn busy(&mut self) -> Response {
        let retry_after = self.random.pick(&[None, Some("3"), Some("30"), Some("120")]);
        Response { retry_after: retry_after.map(str::to_owned), ..response(429, "") }
    }

    fn portal(&mut self) -> Response {
        match self.random.index(4) {
            0 => response(200, "<html>sign in to the wifi</html>"),
            1 => response(302, ""),
            2 => response(403, "<html>blocked</html>"),
            _ => response(400, r#"{"error":"invalid_request","error_description":"Cannot parse parameters"}"#),
        }
    }

    fn process(&mut self, call: CallId, serial: u64, wire: &Wire, fate: Fate) -> Response {
        let now = self.now;
        match wire {
            Wire::Refresh(token) => {
                let verdict = self.kroger.refresh(token, now);
                self.witness_refresh(call, serial, token, &verdict, fate);
                wired(&verdict)
            }
            Wire::Code(code) => {
                let verdict = self.kroger.exchange(code, now);
                self.witness_exchange(call, &verdict, fate.hides_the_answer());
                wired(&verdict)
            }
            Wire::ClientCredentials => {
                response(200, r#"{"access_token":"app","token_type":"bearer","expires_in":1800}"#)
            }
            Wire::Add(token) => {
                let is_good = self.kroger.access_ends(token).is_some_and(|ends| now < ends);
                if is_good { response(204, "") } else { response(401, r#"{"error":"invalid_token"}"#) }
            }
        }
    }

    /// Puts a request on its way, and schedules the time at which its caller gives up.
    pub(crate) fn send(&mut self, call: CallId, serial: u64, wire: Wire, fate: Fate, stall: Time, timeout: Duration) {
        let leaves = self.now + stall;
        let gives_up = leaves + u64::try_from(timeout.as_micros()).expect("a timeout fits");
        let unknown = || PortAnswer::Response(Err(SendError::Unknown));
        match fate {
            Fate::NotSent => {
                let answer = PortAnswer::Response(Err(SendError::NotSent));
                return self.schedule(leaves + SECOND / 20, ScheduledEvent::Resume { call, serial, answer });
            }
            Fate::RequestLost | Fate::ReplyLost => {
                let soon = leaves + SECOND;
                let at = if self.random.chance(500) { soon } else { gives_up };
                self.schedule(at, ScheduledEvent::Resume { call, serial, answer: unknown() });
            }
            _ => self.schedule(gives_up, ScheduledEvent::Resume { call, serial, answer: unknown() }),
        }
        if fate == Fate::RequestLost {
            return;
        }
        let travel = match fate {
            Fate::RequestLate => self.random.range(11 * SECOND, 60 * SECOND),
            _ => self.random.range(SECOND / 50, SECOND / 5),
        };
        let survives = self.random.chance(500);
        self.schedule(leaves + travel, ScheduledEvent::Arrive { call, serial, wire, fate, survives });
    }

    fn deliver(&mut self, call: CallId, serial: u64, response: Response, fate: Fate) {
        let travel = match fate {
            Fate::Slow => self.random.range(2 * SECOND, 9 * SECOND),
            Fate::ReplyLate => self.random.range(11 * SECOND, 60 * SECOND),
            _ => self.random.range(SECOND / 50, SECOND / 5),
        };
        let at = self.now + travel;
        self.schedule(at, ScheduledEvent::Resume { call, serial, answer: PortAnswer::Response(Ok(response)) });
    }
}

fn text(response: &Response) -> String {
    format!("{} {}", response.status, crate::report::shortened(&String::from_utf8_lossy(&response.body)))
}
