//! Between the machines and the simulated Kroger: what a request says, what
//! becomes of it on the way, and the answer on the wire.

use kroger_connector::ports::{Request, Response};

use crate::kroger::{SECOND, TokenVerdict};
use crate::simulation::{CallId, Simulation};
use crate::weather::is_within;

/// What a request asks of Kroger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Refresh(String),
    Code(String),
    ClientCredentials,
    /// A cart add, by its access token.
    Add(String),
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Fine,
    /// Answered late, but in time.
    Slow,
    NotSent,
    RequestLost,
    /// Processed; the answer never comes.
    ReplyLost,
    /// Processed; the answer comes after the caller gave up.
    ReplyLate,
    /// Processed after the caller gave up.
    RequestLate,
    /// Processed; half of the answer comes.
    Garbled,
    /// Processed; a gateway answers 502.
    FailedAfter,
    FailedBefore,
    Busy,
    /// Somebody else answers: a captive portal, a proxy.
    Portal,
    ClientRefused,
}

impl Fate {
    /// Whether the request is on its way without its sender.
    pub(crate) fn outlives_the_caller(self) -> bool {
        self == Self::RequestLate
    }

    /// Whether Kroger acts and its caller does not learn what it did.
    pub(crate) fn hides_the_answer(self) -> Option<&'static str> {
        match self {
            Self::ReplyLost => Some("reply lost"),
            Self::ReplyLate => Some("reply later than the caller waits"),
            Self::RequestLate => Some("request processed after the caller gave up"),
            Self::Garbled => Some("reply garbled"),
            Self::FailedAfter => Some("502 after processing"),
            _ => None,
        }
    }

    fn name(self) -> Option<&'static str> {
        match self {
            Self::Fine => None,
            Self::Slow => Some("reply slow"),
            Self::NotSent => Some("request not sent"),
            Self::RequestLost => Some("request lost"),
            Self::FailedBefore => Some("503 before processing"),
            Self::Busy => Some("429"),
            Self::Portal => Some("captive portal"),
            Self::ClientRefused => Some("client credentials refused"),
            hidden => hidden.hides_the_answer(),
        }
    }
}

impl Wire {
    pub(crate) fn read(request: &Request) -> Self {
        if request.path != "/v1/connect/oauth2/token" {
            let bearer = request.headers.iter().find(|(name, _)| *name == "authorization");
            let token = bearer.and_then(|(_, value)| value.strip_prefix("Bearer ")).unwrap_or_default();
            return Self::Add(token.to_owned());
        }
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        let value =
            |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default();
        match value("grant_type").as_str() {
            "refresh_token" => Self::Refresh(value("refresh_token")),
            "authorization_code" => Self::Code(value("code")),
            _ => Self::ClientCredentials,
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Refresh(token) => format!("refresh with {token}"),
            Self::Code(code) => format!("exchange of {code}"),
            Self::ClientCredentials => "client credentials".to_owned(),
            Self::Add(token) => format!("cart add with {token}"),
        }
    }
}

impl Simulation {
    /// What becomes of the next request.
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

    /// A request arrives at Kroger, or at what stands before it.
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
}

fn response(status: u16, body: &str) -> Response {
    Response { status, retry_after: None, date: None, body: body.as_bytes().to_vec() }
}

fn garbled(mut response: Response) -> Response {
    response.body.truncate(response.body.len() / 2);
    response.status = 200;
    response
}

fn wired(verdict: &TokenVerdict) -> Response {
    match verdict {
        TokenVerdict::Granted { access, refresh, expires_in } => {
            let refresh = refresh.as_ref().map(|token| format!(r#","refresh_token":"{token}""#)).unwrap_or_default();
            let body =
                format!(r#"{{"access_token":"{access}","token_type":"bearer","expires_in":{expires_in}{refresh}}}"#);
            response(200, &body)
        }
        TokenVerdict::Refused { .. } | TokenVerdict::Expired => {
            response(400, r#"{"error":"invalid_request","error_description":"invalid refresh_token"}"#)
        }
    }
}

fn text(response: &Response) -> String {
    format!("{} {}", response.status, crate::report::shortened(&String::from_utf8_lossy(&response.body)))
}

/// How long a person takes from the link to the consent.
pub(crate) const CONSENT: std::ops::Range<u64> = SECOND..500 * SECOND;
