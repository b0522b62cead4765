//! Every cause, next step and finding, for the tests of the faces' words. A variant
//! that a list lacks does not compile.

use std::time::Duration;

use crate::app::App;
use crate::failure::{
    AppTrouble, CallTrouble, Cause, Correction, Declined, ExchangeTrouble, GrantTrouble, KeyTrouble, Missing, NextStep,
    QuotaTrouble, Repeat, SettingsStep, SignInTrouble, StoreStep, StoreTrouble, Undone,
};
use crate::grant::attempts::AttemptOutcome;
use crate::item::Upc;
use crate::kroger::api_error::ApiError;
use crate::kroger::limits::Endpoint;
use crate::ports::Timestamp;
use crate::scope::Scope;
use crate::service::finding::{
    AccessTokenFinding, AfterExpiry, CredentialsFinding, Finding, LineageFinding, NotAsked, OnlineFinding, PassFinding,
    RefreshTokenFinding, ScopeFinding, StoreFinding,
};
use crate::store::ticket::{Root, Ticket};
use crate::unknown_add::UnknownAdd;
use crate::user::UserId;

const A_MINUTE: Duration = Duration::from_secs(60);
const UNTIL: Timestamp = Timestamp::from_secs(1_737_201_600);
const SCOPE: &str = "cart.basic:write";

/// Lists values of an enum, one for each variant. The match has no arm for a variant
/// that the list lacks, so the list is complete or does not compile.
macro_rules! one_of_each {
    ($type:ident { $($variant:ident $(($($value:expr),+))? $({$($field:ident: $of:expr),+})?),+ $(,)? }) => {{
        let _is_total: fn(&$type) = |value| match value { $($type::$variant { .. } => ()),+ };
        vec![$($type::$variant $(($($value),+))? $({$($field: $of),+})?),+]
    }};
}

fn each<T, U>(values: impl IntoIterator<Item = T>, into: impl Fn(T) -> U) -> Vec<U> {
    values.into_iter().map(into).collect()
}

fn a_product() -> Upc {
    Upc::parse("0001111041700").expect("it is one")
}

fn an_error() -> ApiError {
    ApiError { code: "API-4101-400".to_owned(), reason: "no such thing".to_owned() }
}

fn an_app(host: &str) -> App {
    App { server: format!("https://{host}/v1/connect/oauth2/token"), client_id: Some("app".to_owned()) }
}

/// Every cause, with every endpoint where it has one.
pub fn causes() -> Vec<Cause> {
    let subjects = one_of_each!(Cause {
        Grant(GrantTrouble::NotSignedIn),
        Call(Endpoint::Cart, CallTrouble::NoAnswer),
        Quota(Endpoint::Cart, QuotaTrouble::Exceeded(None)),
        App(AppTrouble::ClientMissing),
        AddUnknown(UnknownAdd::NoAnswer),
        Argument { field: "upc".to_owned(), allowed: "8 to 13 digits".to_owned() },
        Key(KeyTrouble::Expired),
        SignIn(SignInTrouble::Unknown),
        Exchange(ExchangeTrouble::Failed),
        Store(StoreTrouble::Failed),
        NotFound(Missing::User),
    });
    subjects.into_iter().flat_map(of_subject).collect()
}

/// Every cause of the subject that `cause` is about.
fn of_subject(cause: Cause) -> Vec<Cause> {
    match cause {
        Cause::Grant(_) => each(grant_troubles(), Cause::Grant),
        Cause::Call(..) => at_each_endpoint(call_troubles(), Cause::Call),
        Cause::Quota(..) => at_each_endpoint(quota_troubles(), Cause::Quota),
        Cause::App(_) => each(app_troubles(), Cause::App),
        Cause::AddUnknown(_) => each(unknowns(), Cause::AddUnknown),
        Cause::Argument { .. } => vec![cause],
        Cause::Key(_) => each(one_of_each!(KeyTrouble { Expired, TriedTooOften, Conflict, InFlight }), Cause::Key),
        Cause::SignIn(_) => each(sign_in_troubles(), Cause::SignIn),
        Cause::Exchange(_) => {
            each(one_of_each!(ExchangeTrouble { Failed, AnswerLost, Rejected(Box::new(an_error())) }), Cause::Exchange)
        }
        Cause::Store(_) => each(store_troubles(), Cause::Store),
        Cause::NotFound(_) => each(missing(), Cause::NotFound),
    }
}

fn at_each_endpoint<T: Clone>(troubles: Vec<T>, cause: impl Fn(Endpoint, T) -> Cause) -> Vec<Cause> {
    let pairs = troubles.into_iter().flat_map(|trouble| Endpoint::ALL.map(|endpoint| (endpoint, trouble.clone())));
    pairs.map(|(endpoint, trouble)| cause(endpoint, trouble)).collect()
}

fn grant_troubles() -> Vec<GrantTrouble> {
    let mut troubles = one_of_each!(GrantTrouble {
        NotSignedIn,
        NothingToRenewWith,
        RefreshTokenRefused { probably_spent: false },
        NewTokensLost,
        ForgottenMeanwhile,
        AccessTokenRejected,
        NoRefreshToken,
        RefreshedJustNow,
        RefreshUnderWay,
        RefreshFailed { tries: 3 },
        RefreshTookTooLong,
    });
    troubles
        .extend([GrantTrouble::RefreshTokenRefused { probably_spent: true }, GrantTrouble::RefreshFailed { tries: 1 }]);
    troubles
}

fn call_troubles() -> Vec<CallTrouble> {
    let mut troubles = one_of_each!(CallTrouble {
        AppTokenRejected,
        SignInLacksScope(Some(SCOPE)),
        AppLacksScope(Some(SCOPE)),
        NotReached,
        NoAnswer,
        Unavailable(503),
        Rejected(Box::new(an_error())),
        Foreign,
        WithoutData,
    });
    troubles.extend([CallTrouble::SignInLacksScope(None), CallTrouble::AppLacksScope(None)]);
    troubles
}

fn quota_troubles() -> Vec<QuotaTrouble> {
    let mut troubles = one_of_each!(QuotaTrouble {
        Exceeded(Some(A_MINUTE)),
        UsedUp { limit: 10_000, until: UNTIL },
        OnlyReserveLeft { limit: 10_000, reserve: 500, until: UNTIL },
        ShareUsedUp { limit: 10_000, until: UNTIL },
        Blocked { until: UNTIL },
    });
    troubles.push(QuotaTrouble::Exceeded(None));
    troubles
}

fn app_troubles() -> Vec<AppTrouble> {
    let mut troubles = one_of_each!(AppTrouble {
        ClientMissing,
        ClientRejected,
        TokenUnavailable,
        NotTheGrants { theirs: Box::new(an_app("api.kroger.com")), ours: Box::new(an_app("api-ce.kroger.com")) },
    });
    let another = App { client_id: Some("another".to_owned()), ..an_app("api.kroger.com") };
    troubles.push(AppTrouble::NotTheGrants { theirs: Box::new(another), ours: Box::new(an_app("api.kroger.com")) });
    troubles
}

fn unknowns() -> Vec<UnknownAdd> {
    one_of_each!(UnknownAdd { NoAnswer, Status(500), Foreign, Abandoned })
}

fn sign_in_troubles() -> Vec<SignInTrouble> {
    let mut troubles = one_of_each!(SignInTrouble {
        Unknown,
        OtherUser,
        OtherBrowser,
        OtherIssuer,
        Expired,
        Used,
        Pasted,
        CodeRefused,
        InvitationUnknown,
        InvitationExpired,
        Declined(Declined::ByPerson),
        NotWanted,
    });
    let declined = one_of_each!(Declined { ByPerson, Scope, Unavailable, Other });
    troubles.extend(declined.into_iter().map(SignInTrouble::Declined));
    troubles
}

fn store_troubles() -> Vec<StoreTrouble> {
    let mut troubles = one_of_each!(StoreTrouble {
        Failed,
        Forgets(Undone::Nothing),
        SignInSpent,
        SignInLost,
        Unsaved(2),
    });
    troubles.extend(one_of_each!(Undone { Refresh, CartAdd, Nothing }).into_iter().map(StoreTrouble::Forgets));
    troubles
}

fn missing() -> Vec<Missing> {
    let mut missing = one_of_each!(Missing {
        User,
        Product(a_product()),
        Location("01400943".to_owned()),
        Named(Endpoint::Products),
    });
    missing.extend(Endpoint::ALL.map(Missing::Named));
    missing
}

/// Every next step.
pub fn next_steps() -> Vec<NextStep> {
    let user = UserId::parse("ann").expect("it is one");
    let scope = Scope::parse(SCOPE).expect("it is one");
    let mut steps = one_of_each!(NextStep {
        SignIn { user: user, scope: scope },
        StartSignIn,
        StartAgain,
        PasteAddress,
        LeaveIt,
        Repeat(Repeat::Now),
        UseNewKey,
        UseNewKeyForOtherItems,
        LookAtCart,
        Store(StoreStep::Check),
        Settings(SettingsStep::SetCredentials),
        Correct(Correction::Call),
    });
    steps.extend(each(repeats(), NextStep::Repeat));
    steps.extend(each(store_steps(), NextStep::Store));
    steps.extend(each(settings_steps(), NextStep::Settings));
    steps.extend(each(corrections(), NextStep::Correct));
    steps
}

fn repeats() -> Vec<Repeat> {
    one_of_each!(Repeat { Now, AfterWait, AfterWaitSignInKept, AfterWaitForQuota, WithKey, AfterNetworkCheck })
}

fn store_steps() -> Vec<StoreStep> {
    one_of_each!(StoreStep { Check, CheckAndStartAgain, CheckBeforeStopping, UseDurable, UseDurableOrNoKey })
}

fn settings_steps() -> Vec<SettingsStep> {
    one_of_each!(SettingsStep {
        SetCredentials,
        CorrectCredentials,
        UseTheGrants,
        MatchEnvironment,
        RegisterApp,
        CheckRegistration,
        CheckUpstreamAddress,
        CheckUpstreamAddressAndCart,
    })
}

fn corrections() -> Vec<Correction> {
    one_of_each!(Correction { Argument("upc".to_owned()), Call, AskWhich, Upc, Id, SearchLocations })
}

/// Every finding of a validation.
pub fn findings() -> Vec<Finding> {
    let subjects = one_of_each!(Finding {
        Store(StoreFinding::Readable),
        Pass(PassFinding::Never),
        Credentials(CredentialsFinding::Accepted),
        AccessToken(AccessTokenFinding::WellFormed),
        Scope(ScopeFinding::Unknown),
        RefreshToken(RefreshTokenFinding::Present),
        Lineage(LineageFinding::Outside),
        Online(OnlineFinding::TokenAccepted),
    });
    subjects.iter().flat_map(about).collect()
}

/// Every finding of the subject that `found` is about.
fn about(found: &Finding) -> Vec<Finding> {
    match found {
        Finding::Store(_) => each(store_findings(), Finding::Store),
        Finding::Pass(_) => each(pass_findings(), Finding::Pass),
        Finding::Credentials(_) => each(credentials_findings(), Finding::Credentials),
        Finding::AccessToken(_) => each(access_token_findings(), Finding::AccessToken),
        Finding::Scope(_) => each(scope_findings(), Finding::Scope),
        Finding::RefreshToken(_) => each(refresh_token_findings(), Finding::RefreshToken),
        Finding::Lineage(_) => each(lineage_findings(), Finding::Lineage),
        Finding::Online(_) => each(online_findings(), Finding::Online),
    }
}

fn store_findings() -> Vec<StoreFinding> {
    one_of_each!(StoreFinding { Readable, Unreadable, Keeps, Forgets, Unwritable, NothingUnsaved, Unsaved(2) })
}

fn pass_findings() -> Vec<PassFinding> {
    let mut findings = one_of_each!(PassFinding { Last { age: A_MINUTE, is_running: true }, Never });
    findings.push(PassFinding::Last { age: A_MINUTE, is_running: false });
    findings
}

fn credentials_findings() -> Vec<CredentialsFinding> {
    one_of_each!(CredentialsFinding {
        ClientIdMissing,
        PublicClient,
        NotTried,
        Unknown,
        Rejected,
        Unanswered,
        Accepted,
    })
}

fn access_token_findings() -> Vec<AccessTokenFinding> {
    let mut findings = one_of_each!(AccessTokenFinding {
        WellFormed,
        Malformed,
        ExpiresIn(A_MINUTE),
        Expired { ago: A_MINUTE, then: AfterExpiry::Renewed },
    });
    let ends = one_of_each!(AfterExpiry { Renewed, Refreshed, RefreshedOnFirstUse, SignInNeeded, OfAnotherApp });
    findings.extend(ends.into_iter().map(|then| AccessTokenFinding::Expired { ago: A_MINUTE, then }));
    findings
}

fn scope_findings() -> Vec<ScopeFinding> {
    one_of_each!(ScopeFinding { Unknown, Granted(SCOPE.to_owned()), CartMissing("profile.compact".to_owned()) })
}

fn refresh_token_findings() -> Vec<RefreshTokenFinding> {
    let mut findings = one_of_each!(RefreshTokenFinding {
        Present,
        Missing,
        MissingOutside,
        Spent,
        Refused,
        OfAnotherApp,
        LastRefreshFailed(AttemptOutcome::Busy),
    });
    findings.extend(outcomes().into_iter().map(RefreshTokenFinding::LastRefreshFailed));
    findings
}

fn outcomes() -> Vec<AttemptOutcome> {
    one_of_each!(AttemptOutcome { Refused, ClientRefused, RequestRefused, NotSent, Busy, Failed, Unknown })
}

fn lineage_findings() -> Vec<LineageFinding> {
    let ticket = Root::numbered(1).ticket();
    let next = Ticket { step: 1, ..ticket };
    let mut findings =
        one_of_each!(LineageFinding { InStore { ticket: ticket, parent: None, is_stored: true }, Outside });
    findings.push(LineageFinding::InStore { ticket: next, parent: Some(ticket), is_stored: false });
    findings
}

fn online_findings() -> Vec<OnlineFinding> {
    let refusal = Cause::Quota(Endpoint::Identity, QuotaTrouble::UsedUp { limit: 5_000, until: UNTIL });
    let mut findings = one_of_each!(OnlineFinding {
        NotAsked(NotAsked::NoValidToken),
        TokenAccepted,
        TokenRejected,
        TokenLacksScope,
        NotReached,
        NoAnswer,
        Answered(500),
    });
    let reasons = one_of_each!(NotAsked { NoValidToken, NoTimeLeft, Quota(refusal) });
    findings.extend(reasons.into_iter().map(OnlineFinding::NotAsked));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_step_is_in_the_list_of_steps() {
        let steps = next_steps();
        for cause in causes() {
            let step = cause.usual_step();
            assert!(steps.contains(&step), "{cause:?}: {step:?}");
        }
    }
}
