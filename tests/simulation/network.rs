//! Requests and answers on the wire, and the fates that a request can have.
//!
//! These are values and their forms; `delivery` moves them.

use kroger_core::ports::{Request, Response};

use crate::kroger::TokenVerdict;

/// A request, by what it asks of Kroger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wire {
    Refresh(String),
    Code(String),
    ClientCredentials,
    /// A cart add with this access token.
    Add(String),
}

/// The fate of a request on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Fine,
    /// Answered late, and still before the caller gives up.
    Slow,
    NotSent,
    RequestLost,
    /// Processed; the answer is lost.
    ReplyLost,
    /// Processed; the answer arrives after the caller gives up.
    ReplyLate,
    /// Processed after the caller gives up.
    RequestLate,
    /// Processed; half of the answer arrives.
    Garbled,
    /// Processed; a gateway answers 502 in Kroger's place.
    FailedAfter,
    /// Not processed; a gateway answers 503.
    FailedBefore,
    /// Not processed; the answer is a 429.
    Busy,
    /// Not processed; a captive portal or a proxy answers.
    Portal,
    /// Not processed; Kroger refuses the app's credentials.
    ClientRefused,
}

impl Fate {
    /// Whether the request is processed although its sender has given up or is gone.
    pub(crate) fn outlives_the_caller(self) -> bool {
        self == Self::RequestLate
    }

    /// Names this fate if Kroger processes the request and the caller does not learn the
    /// result.
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

    pub(crate) fn name(self) -> Option<&'static str> {
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

pub(crate) fn response(status: u16, body: &str) -> Response {
    Response { status, retry_after: None, date: None, body: body.as_bytes().to_vec() }
}

pub(crate) fn garbled(mut response: Response) -> Response {
    response.body.truncate(response.body.len() / 2);
    response.status = 200;
    response
}

pub(crate) fn wired(verdict: &TokenVerdict) -> Response {
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
