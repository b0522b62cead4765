//! Each kind of record, as the first version wrote it: it opens, and it is written
//! again byte for byte, so that the two versions can share a store.

use crate::Context;
use crate::cart::{ledger, recent_adds};
use crate::catalog::{cache, preferred_location};
use crate::grant::{self, attempts, busy, folded, lineage};
use crate::ports::{Bucket, Ports as _};
use crate::service::maintenance;
use crate::settings::Settings;
use crate::sign_in::{ended, seal};
use crate::store::codec::{Stored, decode, encode};
use crate::store::health;
use crate::store::keys::{Key, Kind};
use crate::testing::{BEGINNING, TestWorld};
use crate::upstream::{app_token, quota};
use crate::user::UserId;

/// A stored type: its kind, its version, and how a value comes back from its bytes.
struct Form {
    kind: Kind,
    version: u32,
    type_name: &'static str,
    rewrite: fn(&[u8]) -> Option<Vec<u8>>,
}

fn form<T: Stored>() -> Form {
    let rewrite = |bytes: &[u8]| decode::<T>(bytes).ok().map(|value| encode(&value));
    Form { kind: T::KIND, version: T::VERSION, type_name: std::any::type_name::<T>(), rewrite }
}

fn forms() -> [Form; 16] {
    [
        form::<lineage::Record>(),
        form::<attempts::Intent>(),
        form::<attempts::Attempt>(),
        form::<folded::Fold>(),
        form::<ended::Ended>(),
        form::<seal::SealKey>(),
        form::<ledger::AddIntent>(),
        form::<ledger::AddRecord>(),
        form::<recent_adds::Add>(),
        form::<preferred_location::Choice>(),
        form::<cache::KeptAnswer>(),
        form::<quota::Window>(),
        form::<app_token::StoredAppToken>(),
        form::<busy::Note>(),
        form::<maintenance::Tick>(),
        form::<health::Mark>(),
    ]
}

fn form_of(kind: Kind) -> Option<Form> {
    forms().into_iter().find(|form| form.kind == kind)
}

/// The version of the records of this kind; none: its values are no records.
pub(super) fn version(kind: Kind) -> Option<u32> {
    form_of(kind).map(|form| form.version)
}

/// The path of the type of the records of this kind, in this crate.
pub(super) fn type_name(kind: Kind) -> Option<String> {
    let form = form_of(kind)?;
    form.type_name.strip_prefix("kroger_core::").map(str::to_owned)
}

const SIGN_IN: &str = r#"{"schema_version":1,"user_id":"alice","known":["u6itm33pmiasktw4vspmoiaxwe"],"buried":null,"kind":"sign_in","tokens":{"app":{"server":"https://api.kroger.com/v1/connect/oauth2/token","client_id":"app"},"access_token":"A1","refresh_token":"R1","obtained_at":1737201600000,"expires_at":1737203400000,"scope":"profile.compact cart.basic:write"},"source":"oauth"}"#;

/// Most are bytes that the tests of version 0.1.0 wrote; the others vary one of these.
const WRITTEN: &[(Kind, &str)] = &[
    (Kind::Grant, SIGN_IN),
    (
        Kind::Grant,
        r#"{"schema_version":1,"user_id":"user_default","known":[],"buried":"2.0","kind":"sign_in","tokens":{"access_token":"users-own","refresh_token":null,"obtained_at":1737201600000,"expires_at":1737203400000,"scope":null},"source":"env_file"}"#,
    ),
    (
        Kind::Grant,
        r#"{"schema_version":1,"user_id":"alice","known":["u6itm33pmiasktw4vspmoiaxwe","2zj3afw3dwuplm3pqsseizpf22"],"buried":null,"kind":"refreshed","parent":"1.0.0","tokens":{"app":{"server":"https://api.kroger.com/v1/connect/oauth2/token","client_id":"app"},"access_token":"A2","refresh_token":"R2","obtained_at":1737203431000,"expires_at":1737205200000,"scope":"profile.compact cart.basic:write"},"source":"import"}"#,
    ),
    (
        Kind::Grant,
        r#"{"schema_version":1,"user_id":"alice","known":[],"buried":null,"kind":"deleted","at":1737201600000}"#,
    ),
    (Kind::Intent, r#"{"schema_version":1,"ticket":"1.0.1","lease_until":1737203420000}"#),
    (
        Kind::Attempt,
        r#"{"schema_version":1,"outcome":"not_sent","at":1737203300000,"not_before":1737203300214,"token":"u6itm33pmiasktw4vspmoiaxwe","client":"y4jwnjwsny6nwvatrq4nbs7bi2"}"#,
    ),
    (
        Kind::Attempt,
        r#"{"schema_version":1,"outcome":"client_refused","at":0,"not_before":18446744073709551615,"token":null,"client":null}"#,
    ),
    (Kind::Fold, r#"{"schema_version":1,"may_have_spent":false,"dead":[[1,16],[18,32]]}"#),
    (
        Kind::SignInEnded,
        r#"{"schema_version":1,"user":"fpmansl7byak6gq7ymzi7j3dvetjoi6i3oh2yt4tv5y5wgdnn2ia","mark":"FBqaZmKPFFs","at":1737201600000}"#,
    ),
    (Kind::RequestStateSeal, r#"{"schema_version":1,"key":"8jKp+OMkdfOU6ngnL/PLH0gyvhtqikVxCQzynPZt2Go="}"#),
    (
        Kind::AddIntent,
        r#"{"schema_version":1,"items":"qwrtjgs2jexhfxuvrqe3qypee7","at":1737201600000,"lease_until":1737201620000}"#,
    ),
    (Kind::AddOutcome, r#"{"schema_version":1,"outcome":{"ended":"added"},"at":1737201600000}"#),
    (Kind::AddOutcome, r#"{"schema_version":1,"outcome":"nothing_done","at":1737201600000}"#),
    (Kind::AddOutcome, r#"{"schema_version":1,"outcome":{"ended":{"unknown":{"status":502}}},"at":1737201600000}"#),
    (
        Kind::RecentAdd,
        r#"{"schema_version":1,"added_at":1737201600000,"expires_at":1737205200000,"items":[{"upc":"0001111041700","quantity":2,"modality":"PICKUP"}]}"#,
    ),
    (Kind::PreferredLocation, r#"{"schema_version":1,"location":"01400376","chosen_at":1737201600000}"#),
    (Kind::Catalog, r#"{"schema_version":1,"at":1737201600000,"answer":{"data":{"locationId":"01400376"}}}"#),
    (Kind::QuotaWindow, r#"{"schema_version":1,"number":1,"started_at":1737203431000,"blocked_until":null}"#),
    (
        Kind::ClientToken,
        r#"{"schema_version":1,"client":"5p2dj6ebrdyt2pnibr4h2iwlfx","at":1737201600000,"state":{"token":{"access_token":"app-token","expires_at":1737203400000}}}"#,
    ),
    (
        Kind::ClientToken,
        r#"{"schema_version":1,"client":"y4jwnjwsny6nwvatrq4nbs7bi2","at":1737201600000,"state":"credentials_rejected"}"#,
    ),
    (Kind::RefreshesNotBefore, r#"{"schema_version":1,"at":1737203400000,"not_before":1737203440000}"#),
    (Kind::Tick, r#"{"schema_version":1,"at":3314003390000,"due_from":28953385,"sweep_from":null}"#),
    (Kind::Health, r#"{"schema_version":1,"at":1737201600000,"nonce":6563028209776597524}"#),
];

#[test]
fn each_record_of_the_first_version_opens_and_is_written_again_byte_for_byte() {
    for form in forms() {
        let written: Vec<_> = WRITTEN.iter().filter(|(kind, _)| *kind == form.kind).collect();
        assert!(!written.is_empty(), "{:?}", form.kind);
        for (kind, text) in written {
            let again = (form.rewrite)(text.as_bytes()).map(|bytes| String::from_utf8(bytes).unwrap());
            assert_eq!(again.as_deref(), Some(*text), "{kind:?}");
        }
    }
}

/// Early stores of version 0.1.0 lack the fields `token` and `client`.
#[test]
fn records_without_the_later_fields_open() {
    let early = [(Kind::Attempt, r#"{"schema_version":1,"outcome":"busy","at":1,"not_before":2}"#)];
    for (kind, text) in early {
        assert!((form_of(kind).unwrap().rewrite)(text.as_bytes()).is_some(), "{text}");
    }
}

#[test]
fn a_sign_in_that_the_first_version_stored_continues() {
    let app = [("KROGER_CLIENT_ID", "app"), ("KROGER_CLIENT_SECRET", "hush")];
    let settings = Settings::from_variables(app.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let (world, alice) = (TestWorld::new(), UserId::parse("alice").unwrap());
    let cx = Context { settings: &settings, ports: &world };
    let grant = "grant.fpmansl7byak6gq7ymzi7j3dvetjoi6i3oh2yt4tv5y5wgdnn2ia.1.0.0";
    let Some(Key::Grant { user, .. }) = Key::parse(grant) else { panic!("{grant} is a grant's key") };
    world.increment_by(&Key::Roots { user: user.clone() }.to_string(), 1);
    world.set(Bucket::Store, grant, SIGN_IN.as_bytes()).unwrap();
    world.set(Bucket::Store, &format!("head.{user}"), b"1.0.0").unwrap();

    let usable = grant::refresh::grant(cx, &alice, grant::refresh::Need::Usable).unwrap();
    world.advance(usable.tokens.expires_at.since(BEGINNING));
    world.answer_with_tokens("A2", "R2");
    let refreshed = grant::refresh::grant(cx, &alice, grant::refresh::Need::Usable).unwrap();

    assert_eq!(usable.tokens.access_token.expose(), "A1");
    assert!(String::from_utf8_lossy(&world.sent()[0].body).contains("R1"));
    assert_eq!(refreshed.tokens.access_token.expose(), "A2");
    assert_eq!(refreshed.ticket.to_string(), "1.0.1");
}
