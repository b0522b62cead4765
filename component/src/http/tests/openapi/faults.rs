//! Each failure that the document names. Its example is a real answer: see `example` in `examples.rs`.

/// One way to fail: its code, its status, and the reason.
#[derive(Clone, Copy)]
pub(in super::super) struct Fault {
    pub(super) code: &'static str,
    pub(super) status: u16,
    pub(super) when: &'static str,
    pub(super) example: &'static str,
    pub(super) is_retryable: bool,
}

/// A fault named like its code.
const fn fault(status: u16, code: &'static str, when: &'static str) -> Fault {
    Fault { code, status, when, example: code, is_retryable: false }
}

impl Fault {
    const fn retryable(self) -> Self {
        Self { is_retryable: true, ..self }
    }

    /// Names a fault whose code has several meanings.
    const fn like(self, example: &'static str) -> Self {
        Self { example, ..self }
    }
}

pub(super) const REAUTHORIZE: Fault = fault(
    401,
    "reauthorize",
    "the user is not signed in, or Kroger refused the refresh token; give `authorization_url` to the user, then repeat the call",
);
pub(super) const TOKEN_REJECTED: Fault =
    fault(401, "token_rejected", "Kroger rejected the token again after a refresh and a repeat; as `reauthorize`");
pub(super) const REFRESH_FAILED: Fault = fault(
    503,
    "upstream_unavailable",
    "Kroger or the network failed, after retries; nothing was done, try again after `retry_after` seconds",
)
.retryable();
pub(super) const SIGN_IN_UNANSWERED: Fault =
    fault(503, "upstream_unavailable", "Kroger did not complete the sign-in; nothing was stored, start again")
        .like("sign_in_unanswered");
pub(super) const UPSTREAM_REJECTED: Fault =
    fault(422, "upstream_rejected", "Kroger understood the call and refused it; the detail has its reason");
pub(super) const UPSTREAM_NONSENSE: Fault =
    fault(502, "upstream_rejected", "something other than Kroger's API answered").like("upstream_nonsense");
pub(super) const CLIENT_CREDENTIALS_REJECTED: Fault = fault(
    503,
    "client_credentials_rejected",
    "Kroger rejects the app's credentials, there are none, or the sign-in is of another app; the operator must correct the settings",
);
pub(super) const OUTCOME_UNKNOWN: Fault = fault(
    504,
    "outcome_unknown",
    "the add was sent and may have been done; do not send it again, let the user look at the cart",
);
pub(super) const QUOTA_EXHAUSTED: Fault =
    fault(429, "quota_exhausted", "no more calls of this kind for now; nothing was done").retryable();
pub(super) const RATE_LIMITED: Fault = fault(
    429,
    "rate_limited",
    "the token was refreshed less than a minute ago; nothing was done; wait `retry_after` seconds",
)
.retryable();
pub(super) const IDEMPOTENCY_CONFLICT: Fault =
    fault(422, "idempotency_conflict", "the `Idempotency-Key` was used before, with other items; nothing was sent");
pub(super) const IDEMPOTENCY_IN_FLIGHT: Fault = fault(
    409,
    "idempotency_in_flight",
    "a call with the same `Idempotency-Key` is still running; repeat after `retry_after` seconds to get its answer",
)
.retryable();
pub(super) const SCOPE_MISSING: Fault =
    fault(403, "scope_missing", "the sign-in lacks a scope; give `authorization_url`, which asks for it, to the user");
pub(super) const INVALID_ARGUMENT: Fault =
    fault(422, "invalid_argument", "an argument is wrong; the detail says which and what is allowed");
pub(super) const SIGN_IN_REFUSED: Fault = fault(
    400,
    "invalid_argument",
    "the redirect has no `state` or `code`, the state is unknown, used or expired, the user declined, or Kroger refused the \
     code; nothing was stored",
)
.like("sign_in_refused");
pub(super) const NO_REFRESH_TOKEN: Fault =
    fault(400, "invalid_argument", "the user has no refresh token").like("no_refresh_token");
pub(super) const STORE_UNAVAILABLE: Fault =
    fault(503, "store_unavailable", "the token store cannot be read or written; nothing was sent, nothing was lost")
        .retryable();
pub(super) const UNKNOWN_USER: Fault = fault(404, "not_found", "no token is stored for this user");
pub(super) const NO_SUCH_THING: Fault =
    fault(404, "not_found", "Kroger has nothing of this id").like("no_such_product");
pub(super) const TOO_LARGE: Fault =
    fault(413, "too_large", "the body is larger, or holds more values, than the route reads");

const FORBIDDEN_ORIGIN: Fault =
    fault(403, "forbidden_origin", "the caller is a web page, or uses a name of this server, that is not known here");
const BROKEN_REQUEST: Fault =
    fault(400, "invalid_argument", "the request ends early, or does not have one valid `Host`").like("broken_request");
const SLOW_REQUEST: Fault =
    fault(408, "invalid_argument", "the body did not arrive in 10 seconds").like("slow_request");
const MISCONFIGURED: Fault = fault(500, "misconfigured", "a setting of the server cannot be used");
const INTERNAL: Fault =
    fault(500, "internal", "the server failed; look at the cart before an add is sent again, the log says why");
const TIMED_OUT: Fault =
    fault(504, "internal", "the call took too long and was given up; as with 500").like("timed_out");
const OVER_SHARE: Fault = fault(429, "rate_limited", "too many calls of this caller at once; nothing was done")
    .retryable()
    .like("over_share");
const BUSY: Fault = fault(503, "busy", "too many calls at once; nothing was done").retryable();

/// The faults of every operation.
pub(super) const EVERYWHERE: [Fault; 7] =
    [BROKEN_REQUEST, FORBIDDEN_ORIGIN, OVER_SHARE, MISCONFIGURED, INTERNAL, BUSY, TIMED_OUT];
/// The faults of each operation with a body.
pub(super) const WITH_A_BODY: [Fault; 3] = [SLOW_REQUEST, TOO_LARGE, INVALID_ARGUMENT];
/// The faults of each operation that needs a token.
pub(super) const WITH_A_TOKEN: [Fault; 4] =
    [REAUTHORIZE, REFRESH_FAILED, CLIENT_CREDENTIALS_REJECTED, STORE_UNAVAILABLE];
/// The faults of each operation that also sends the token to Kroger's API.
pub(super) const WITH_A_CALL: [Fault; 4] = [TOKEN_REJECTED, UPSTREAM_REJECTED, UPSTREAM_NONSENSE, QUOTA_EXHAUSTED];
