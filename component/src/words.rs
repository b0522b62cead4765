//! The words for a failure and for what a validation found, shared by the faces.
//!
//! The facts come from the core, which writes no sentence. A face gives [`Ways`]:
//! its own names for what a caller can do. So no face ever names another one's
//! routes, tools or commands. Each function here is one total `match`.

use kroger_core::app::App;
use kroger_core::failure::{Cause, Declined, NextStep, SignInTrouble, Undone};
use kroger_core::kroger::limits::Endpoint;
use kroger_core::ports::Timestamp;
use kroger_core::service::validation::{AfterExpiry, Finding, NotAsked, Subject, Validation};
use kroger_core::unknown_add::Unknown;

/// A face's own names for what its caller can do. None ends with a full stop.
pub(crate) struct Ways {
    /// A sign-in link comes with the failure.
    pub(crate) open_link: &'static str,
    /// No link comes with the failure.
    pub(crate) start_sign_in: &'static str,
    /// A sign-in came to nothing.
    pub(crate) start_again: &'static str,
    /// The sign-in ends with the address of the last page.
    pub(crate) paste_address: &'static str,
    /// The wait is told beside the words.
    pub(crate) wait: &'static str,
    pub(crate) see_quotas: &'static str,
    pub(crate) search_locations: &'static str,
    /// Forgets the user's sign-in.
    pub(crate) forget: &'static str,
    /// Refreshes the user's token.
    pub(crate) refresh: &'static str,
    /// Signs the user in, in the middle of a sentence.
    pub(crate) sign_in: &'static str,
    /// Has the periodic refresh run, in the middle of a sentence.
    pub(crate) run_passes: &'static str,
    /// The idempotency key's name.
    pub(crate) key: &'static str,
}

/// What happened, in one or two sentences that end with a full stop.
pub(crate) fn what(cause: &Cause, ways: &Ways) -> String {
    match cause {
        Cause::NotSignedIn => "User not authenticated.".to_owned(),
        Cause::NothingToRenewWith => {
            "Token expired or invalid, and there is no refresh token to renew it with.".to_owned()
        }
        Cause::RefreshTokenRefused { probably_spent: false } => "Token refresh failed: Invalid refresh token.".to_owned(),
        Cause::RefreshTokenRefused { probably_spent: true } => {
            "Token refresh failed: Invalid refresh token. It was probably spent by an earlier refresh whose reply was lost."
                .to_owned()
        }
        Cause::NewTokensLost => "Token refresh failed: Kroger gave new tokens and the token store could not keep them, so \
                                 the sign-in is lost."
            .to_owned(),
        Cause::ForgottenMeanwhile => {
            "The user was forgotten while this sign-in was under way, so nothing was stored; re-authenticate.".to_owned()
        }
        Cause::UserTokenRejected => "Token expired or invalid. The access token was refreshed and the call repeated once; \
                                     Kroger rejected it again."
            .to_owned(),
        Cause::AppTokenRejected(endpoint) => format!(
            "Token expired or invalid. Kroger's {} rejected the app's own access token, and the one that was fetched in \
             its place.",
            endpoint.as_str()
        ),
        Cause::SignInLacksScope(endpoint, scope) => sign_in_lacks_scope(*endpoint, *scope),
        Cause::AppLacksScope(endpoint, scope) => {
            format!("The app may not read Kroger's {}{}.", endpoint.as_str(), missing(*scope))
        }
        Cause::RefreshUnderWay => "Token refresh failed: another caller's has not ended yet.".to_owned(),
        Cause::RefreshFailed { tries: 1 } => "Token refresh failed after 1 attempt.".to_owned(),
        Cause::RefreshFailed { tries } => format!("Token refresh failed after {tries} attempts."),
        Cause::RefreshTookTooLong => {
            "The sign-in was renewed, and that took too long to go on with the call. Nothing was added.".to_owned()
        }
        Cause::AppTokenUnavailable => "Kroger did not give the app an access token.".to_owned(),
        Cause::NotReached(Endpoint::Cart) => not_added("could not be reached"),
        Cause::NotReached(endpoint) => format!("Kroger's {} could not be reached.", endpoint.as_str()),
        Cause::NoAnswer(endpoint) => format!("Kroger's {} did not answer in time.", endpoint.as_str()),
        Cause::Unavailable(Endpoint::Cart, status) => not_added(&format!("is not available: it answered {status}")),
        Cause::Unavailable(endpoint, status) => {
            format!("Kroger's {} are not available: the answer was {status}.", endpoint.as_str())
        }
        Cause::ExchangeFailed => unexchanged("Kroger did not complete the sign-in."),
        Cause::ExchangeAnswerLost => unexchanged("Kroger's answer to the sign-in was lost."),
        Cause::OverQuota(Endpoint::Cart, asked_for) => {
            let until = match asked_for {
                Some(wait) => format!("and asks to come back in {} seconds", wait.as_secs().max(1)),
                None => "and does not say until when; an app has 5,000 calls a day".to_owned(),
            };
            format!("Kroger accepts no more cart adds for now (PUT /v1/cart/add) {until}. Nothing was added.")
        }
        Cause::OverQuota(endpoint, _) => format!("Kroger takes no more calls to its {} for now.", endpoint.as_str()),
        Cause::QuotaUsedUp { endpoint, limit, until } => {
            let name = endpoint.as_str();
            undone_until(&format!("The app's {limit} calls a day to Kroger's {name} are used up"), *until)
        }
        Cause::OnlyReserveLeft { endpoint, limit, reserve, until } => {
            let name = endpoint.as_str();
            let what = format!(
                "Of the app's {limit} calls a day to Kroger's {name} only the last {reserve} are left, which are kept for \
                 adding to the cart"
            );
            undone_until(&what, *until)
        }
        Cause::Blocked { endpoint, until } => {
            undone_until(&format!("Kroger takes no more calls to its {} for now", endpoint.as_str()), *until)
        }
        Cause::Rejected(Endpoint::Cart, error) => {
            format!("Kroger refused the cart add: {} ({}). Nothing was added.", error.reason, error.code)
        }
        Cause::Rejected(endpoint, error) => {
            format!("Kroger's {} refused the call: {} ({}).", endpoint.as_str(), error.reason, error.code)
        }
        Cause::ExchangeRejected(error) => {
            format!("Kroger refused the sign-in: {} ({}). Nothing was stored.", error.reason, error.code)
        }
        Cause::Foreign(Endpoint::Cart) => {
            "Something other than Kroger's API answered the cart add, so it was most likely not added.".to_owned()
        }
        Cause::Foreign(endpoint) => format!("Something other than Kroger's API answered for its {}.", endpoint.as_str()),
        Cause::WithoutData(endpoint) => format!("The answer of Kroger's {} has no data in it.", endpoint.as_str()),
        Cause::OfAnotherApp { theirs, ours } => of_another_app(theirs, ours),
        Cause::ClientMissing => "Invalid Kroger API credentials. Please check KROGER_CLIENT_ID and \
                                 KROGER_CLIENT_SECRET. None are configured."
            .to_owned(),
        Cause::ClientRejected => {
            "Invalid Kroger API credentials. Please check KROGER_CLIENT_ID and KROGER_CLIENT_SECRET.".to_owned()
        }
        Cause::AddUnknown(why) => {
            format!("The cart add was sent and {}, so the items may be in the cart.", why_unknown(*why))
        }
        Cause::Argument { field, allowed } => argument(field, allowed),
        Cause::KeyExpired => argument(
            ways.key,
            "it was used more than 24 hours ago, and nothing was added with it; use a new key",
        ),
        Cause::KeyTriedTooOften => {
            argument(ways.key, "it was used for 100 tries, none of which added anything; use a new key")
        }
        Cause::KeyConflict => {
            format!("This {} was used before, with other items. This call sent nothing.", ways.key)
        }
        Cause::KeyInFlight => format!("A call with this {} is still running. This call sent nothing.", ways.key),
        Cause::NoRefreshToken => "No refresh token available for this user.".to_owned(),
        Cause::SignIn(trouble) => sign_in_trouble(*trouble),
        Cause::StoreFailed => {
            "The token store cannot be read or written. Nothing was sent, nothing was lost.".to_owned()
        }
        Cause::StoreForgets(undone) => {
            let so = match undone {
                Undone::Refresh => "so the single-use refresh token was not spent",
                Undone::CartAdd => "so a repeat of this cart add could not be told apart",
                Undone::Nothing => return "The token store forgets what it was told, so no refresh token is spent here.".to_owned(),
            };
            format!("The token store forgets what it was told, {so}. Nothing was sent, nothing was lost.")
        }
        Cause::SignInSpent => {
            "The token store cannot be read or written, so the sign-in came to nothing. Nothing was stored.".to_owned()
        }
        Cause::SignInLost => "The sign-in succeeded and could not be saved, so it is lost.".to_owned(),
        Cause::Unsaved(count) => format!(
            "The store could not take {count} of the refreshed tokens; they wait in memory and would be lost by a stop."
        ),
        Cause::UnknownUser => "No token is stored for this user.".to_owned(),
        Cause::NoSuchProduct(upc, mistaken) => {
            let question = mistaken.as_ref().map(|mistaken| format!(" {}", mistaken.question())).unwrap_or_default();
            format!("Kroger knows no product {}.{question}", upc.as_str())
        }
        Cause::NoSuchLocation(id) => format!("Kroger has no store {id}."),
        Cause::NotThere(endpoint) => {
            format!("Kroger's {} do not have what the call names.", endpoint.as_str())
        }
    }
}

/// What to do next, as one sentence or two.
pub(crate) fn next_step(next: &NextStep, ways: &Ways) -> String {
    let step = match next {
        NextStep::SignIn { .. } => ways.open_link,
        NextStep::StartSignIn => ways.start_sign_in,
        NextStep::StartAgain => ways.start_again,
        NextStep::PasteAddress => ways.paste_address,
        NextStep::LeaveIt => "Do not ask again unless the user wants it",
        NextStep::Wait => ways.wait,
        NextStep::WaitSignInKept => return format!("{}; the sign-in is kept.", ways.wait),
        NextStep::WaitForQuota => return format!("{}; {}.", ways.wait, ways.see_quotas),
        NextStep::Repeat => "Send the call again",
        NextStep::RepeatWithKey => {
            return format!("{}, with the same {} and items; it answers what the first call did.", ways.wait, ways.key);
        }
        NextStep::UseNewKey => {
            return format!(
                "Use a new {} for other items; the same items with this key answer what the first call did.",
                ways.key
            );
        }
        NextStep::LookAtCart => "Do not send the items again; look at the cart in the Kroger app first",
        NextStep::CheckNetwork => "Check network connectivity, then try again",
        NextStep::CheckStore => "Check the store's disk space and permissions, then try again",
        NextStep::CheckStoreAndStartAgain => {
            return format!("Check the store's disk space and permissions. {}.", ways.start_again);
        }
        NextStep::CheckStoreBeforeStopping => {
            "Check the store's disk space and permissions; do not stop the server before this is ready again"
        }
        NextStep::UseDurableStore => "Run the component under a host whose key-value store is durable",
        NextStep::UseDurableStoreOrNoKey => {
            return format!(
                "Run the component under a host whose key-value store is durable, or leave the {} out.",
                ways.key
            );
        }
        NextStep::SetCredentials => {
            "Set KROGER_CLIENT_ID and KROGER_CLIENT_SECRET from the app's page at developer.kroger.com"
        }
        NextStep::CorrectCredentials => {
            "Correct the credentials; they belong to one environment, production or certification. No sign-in is lost"
        }
        NextStep::UseItsSettings => {
            return format!(
                "Run it with the settings that it was made with, or in another folder with another KROGER_STORE (a .env \
                 here has that sign-in's tokens, too); or {} and sign in again.",
                ways.forget
            );
        }
        NextStep::MatchEnvironment => {
            "Whoever runs this server must check that KROGER_CLIENT_ID and KROGER_API_BASE_URL belong to the same \
             environment of Kroger's; signing in does not help"
        }
        NextStep::RegisterApp => {
            "Whoever runs this server must register the app for it at developer.kroger.com; signing in does not help"
        }
        NextStep::CheckRegistration => {
            return format!(
                "Check that KROGER_REDIRECT_URI and KROGER_SCOPE are those registered with Kroger. {}.",
                ways.start_again
            );
        }
        NextStep::CheckUpstreamAddress => {
            "Check KROGER_API_BASE_URL and whether a proxy or a sign-in page of the network stands between"
        }
        NextStep::CheckUpstreamAddressAndCart => {
            "Check KROGER_API_BASE_URL and whether a proxy or a sign-in page of the network stands between; then look at \
             the cart in the Kroger app"
        }
        NextStep::CorrectArgument(field) => return format!("Correct `{field}` and send the call again."),
        NextStep::CorrectCall => "Correct the arguments and send the call again",
        NextStep::AskWhich => "Ask the user which is meant, then call again with its UPC or id",
        NextStep::CheckUpc => "Check the UPC, which has no check digit, or search for the product by name",
        NextStep::CheckId => "Check the id, or search for it",
        NextStep::SearchLocations => ways.search_locations,
    };
    format!("{step}.")
}

fn argument(field: &str, allowed: &str) -> String {
    // A list ends without a full stop.
    let end = if allowed.ends_with(['.', '?']) || allowed.contains('\n') { "" } else { "." };
    format!("`{field}` is not valid: {allowed}{end}")
}

fn missing(scope: Option<&str>) -> String {
    scope.map_or_else(String::new, |scope| format!(": the scope `{scope}` is missing"))
}

fn sign_in_lacks_scope(endpoint: Endpoint, scope: Option<&str>) -> String {
    match endpoint {
        Endpoint::Cart => {
            format!("The sign-in does not allow adding to the cart{}. Nothing was added.", missing(scope))
        }
        _ => format!("The sign-in does not allow reading Kroger's {}{}.", endpoint.as_str(), missing(scope)),
    }
}

fn not_added(what: &str) -> String {
    format!("Kroger's cart (PUT /v1/cart/add) {what}. Nothing was added.")
}

fn unexchanged(what: &str) -> String {
    format!("{what} Nothing was stored, and the link works once: a new sign-in is needed.")
}

fn undone_until(what: &str, until: Timestamp) -> String {
    format!("{what}, until {}. Nothing was done.", until.readable())
}

fn of_another_app(theirs: &App, ours: &App) -> String {
    let whose = if theirs.server == ours.server {
        "is of an app with another KROGER_CLIENT_ID".to_owned()
    } else {
        format!("was given by {}, and this runs with {}", theirs.server, ours.server)
    };
    format!("The sign-in that the token store has {whose}. Nothing was sent, nothing was lost.")
}

fn why_unknown(why: Unknown) -> String {
    match why {
        Unknown::NoAnswer => "Kroger's answer did not arrive".to_owned(),
        Unknown::Status(status) => format!("Kroger answered {status}, which does not say whether it was done"),
        Unknown::Abandoned => "the process that sent it ended before it told of an answer".to_owned(),
        Unknown::Foreign => "what confirmed it is not Kroger's cart, perhaps a proxy's page".to_owned(),
    }
}

fn sign_in_trouble(trouble: SignInTrouble) -> String {
    match trouble {
        SignInTrouble::Unknown => argument("state", "the sign-in is unknown or was overtaken"),
        SignInTrouble::OtherUser => argument("state", "the sign-in was begun for another user"),
        SignInTrouble::OtherBrowser => {
            argument("state", "the sign-in was begun in another browser; open the link and agree in one and the same")
        }
        SignInTrouble::Expired => argument("state", "the sign-in took longer than 10 minutes"),
        SignInTrouble::Used => argument("state", "this sign-in was used before"),
        SignInTrouble::Pasted => {
            argument("state", "this sign-in is finished by giving the whole address to the assistant that began it")
        }
        SignInTrouble::CodeRefused => argument("code", "Kroger refused it as invalid, expired or used"),
        SignInTrouble::InvitationUnknown => argument("link", "it is incomplete, or a newer one took its place"),
        SignInTrouble::InvitationExpired => argument("link", "it was made more than 10 minutes ago"),
        SignInTrouble::Declined(why) => format!("{} Nothing was stored.", declined(why)),
        SignInTrouble::NotWanted => "The user did not go on to sign in.".to_owned(),
    }
}

/// In our words: the redirect's own could be anyone's.
fn declined(why: Declined) -> &'static str {
    match why {
        Declined::ByPerson => "The sign-in was declined on Kroger's page.",
        Declined::Scope => "Kroger does not give this app the scope that was asked for.",
        Declined::Unavailable => "Kroger could not complete the sign-in just now.",
        Declined::Other => "Kroger reported an error instead of completing the sign-in.",
    }
}

/// The wrong settings for a grant that another app or server gave.
pub(crate) const OF_ANOTHER_APP: &str =
    "it is of another app or server: run with the settings that it was made with, or with another KROGER_STORE";

/// What a check found; where that is not good, also what to do.
pub(crate) fn finding(finding: &Finding, ways: &Ways) -> String {
    let sign_in = ways.sign_in;
    let text = match finding {
        Finding::StoreReadable => "it was read",
        Finding::StoreUnreadable => "the store cannot be read; check its disk and permissions",
        Finding::StoreKeeps => "a value was written and found again",
        Finding::StoreForgets => "the store forgets what it was told; use a host whose store is durable",
        Finding::StoreUnwritable => "the store cannot be written; check its disk space and permissions",
        Finding::NothingUnsaved => "nothing waits to be saved",
        Finding::Unsaved(count) => {
            return format!("{count} refreshed tokens wait in memory; mend the store before the server is stopped");
        }
        Finding::LastPass { age, is_running: true } => {
            return format!("the last periodic refresh was {} seconds ago", age.as_secs());
        }
        Finding::LastPass { age, is_running: false } => {
            return format!("the last periodic refresh was {} seconds ago; {}", age.as_secs(), ways.run_passes);
        }
        Finding::NoPass => return format!("no periodic refresh has run; {}", ways.run_passes),
        Finding::ClientIdMissing => "KROGER_CLIENT_ID is not set; get it at developer.kroger.com",
        Finding::PublicClient => "a public client, which has no token of its own",
        Finding::CredentialsNotTried => "not tried yet; the next periodic refresh tries them",
        Finding::CredentialsUnknown => "the store cannot be read, so nothing is known of them",
        Finding::CredentialsRejected => "Kroger rejected them; correct KROGER_CLIENT_ID and KROGER_CLIENT_SECRET",
        Finding::CredentialsUnanswered => "Kroger did not answer at the last try; check network connectivity",
        Finding::CredentialsAccepted => "Kroger accepted them",
        Finding::WellFormed => "printable and without spaces",
        Finding::Malformed => return format!("a token is empty or damaged; {sign_in}"),
        Finding::ExpiresIn(left) => return format!("expires in {} seconds", left.as_secs()),
        Finding::Expired { ago, then } => {
            let then = match then {
                AfterExpiry::Renewed => "it is renewed on next use",
                AfterExpiry::Refreshed => "it is refreshed on next use",
                AfterExpiry::RefreshedOnFirstUse => "it is refreshed on first use",
                AfterExpiry::SignInNeeded => sign_in,
                AfterExpiry::OfAnotherApp => OF_ANOTHER_APP,
            };
            return format!("expired {} seconds ago; {then}", ago.as_secs());
        }
        Finding::ScopeUnknown => "not known; Kroger did not say",
        Finding::Scope(scope) => scope,
        Finding::CartScopeMissing(scope) => {
            return format!("{scope}; cart.basic:write is missing, so re-authenticate with it to use the cart");
        }
        Finding::RefreshToken => "there is one",
        Finding::RefreshTokenMissing => {
            return format!("there is none; {sign_in} before the access token expires");
        }
        Finding::RefreshTokenMissingOutside => "there is none; re-authenticate in time",
        Finding::RefreshTokenSpent => {
            return format!("it was probably spent by a refresh whose reply was lost; {sign_in}");
        }
        Finding::RefreshTokenRefused => return format!("Kroger refused it; {sign_in}"),
        Finding::OfAnotherApp => OF_ANOTHER_APP,
        Finding::LastRefreshFailed(outcome) => {
            return format!("the last refresh failed: {}; it is tried again", outcome.words());
        }
        Finding::Lineage { ticket, parent, is_stored } => {
            let origin = match parent {
                Some(parent) => format!("generation {ticket}, refreshed from {parent}"),
                None => format!("generation {ticket}, a sign-in"),
            };
            let unstored =
                if *is_stored { "" } else { ", is not in the store yet; mend the store before the server is stopped" };
            return format!("{origin}{unstored}");
        }
        Finding::Outside => "from the environment or .env; the next call takes it into the store",
        Finding::NotAsked(NotAsked::NoValidToken) => {
            "not asked: there is no valid access token, and a validation refreshes none"
        }
        Finding::NotAsked(NotAsked::NoTimeLeft) => "not asked: the other tokens took all the time",
        Finding::NotAsked(NotAsked::Quota(cause)) => return format!("not asked: {}", what(cause, ways)),
        Finding::TokenAccepted => "Kroger accepts it",
        Finding::TokenRejected => return format!("Kroger rejects it; {}", ways.refresh),
        Finding::TokenLacksScope => "Kroger knows it; it lacks the scope of this question",
        Finding::NotReached => "Kroger could not be reached; check the network",
        Finding::NoAnswer => "Kroger did not answer in time",
        Finding::Answered(status) => return format!("Kroger answered {status}, which says nothing of the token"),
    };
    text.to_owned()
}

/// Each thing that is wrong, with its subject.
pub(crate) fn issues(found: &Validation, ways: &Ways) -> Vec<String> {
    let each = |(subject, check): (Subject<'_>, &kroger_core::service::validation::Check)| {
        let of = match subject {
            Subject::Server => "the server".to_owned(),
            Subject::App => "the app's own token".to_owned(),
            Subject::User(user) => format!("the token of {}", user.as_str()),
        };
        format!("{of}: {}", finding(&check.finding, ways))
    };
    found.issues().into_iter().map(each).collect()
}
