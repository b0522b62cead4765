//! The keys, the page that lists them, and the forms of the records.

mod forms;
mod page;
mod sources;

use std::collections::BTreeSet;

use super::keys::{Key, Kind};

/// Small numbers, ends of rings and counters, and some between.
fn numbers() -> impl Iterator<Item = u64> {
    (0..100).chain([999, 1_000, 28_953_385, u64::from(u32::MAX), u64::MAX - 2, u64::MAX])
}

#[test]
fn each_key_reads_back_as_itself() {
    for (kind, number) in Kind::ALL.iter().flat_map(|kind| numbers().map(move |number| (*kind, number))) {
        let key = kind.example(number);
        let read = Key::parse(&key.to_string());

        assert_eq!(key.kind(), kind);
        assert_eq!(read, Some(key));
    }
}

#[test]
fn no_two_kinds_share_a_key() {
    let keys: BTreeSet<String> = Kind::ALL.iter().map(|kind| kind.example(7).to_string()).collect();

    assert_eq!(keys.len(), Kind::ALL.len());
}

#[test]
fn keys_are_spelled_as_the_last_version_spelled_them() {
    const USER: &str = "fpmansl7byak6gq7ymzi7j3dvetjoi6i3oh2yt4tv5y5wgdnn2ia";
    const ENTRY: &str = "golzg2hkn4jooapmlghefrp5uhwnbxtkhfoidtnx4taiglskcwra";

    let per_user = [
        ("roots.<user>", Kind::Roots),
        ("seq.<user>.1.0", Kind::Seq),
        ("head.<user>", Kind::Head),
        ("grant.<user>.1.0.1", Kind::Grant),
        ("claim.<user>.1.0.0.1", Kind::Claim),
        ("intent.<user>.1.0.0.1", Kind::Intent),
        ("attempt.<user>.1.0.0.2", Kind::Attempt),
        ("fold.<user>.1.0.0.1", Kind::Fold),
        ("signin_link.<user>", Kind::SignInLink),
        ("invitation_of.<user>", Kind::InvitationOf),
        ("recent_add_places.<user>", Kind::RecentAddPlaces),
        ("recent_add.<user>.49", Kind::RecentAdd),
        ("preferred_store.<user>", Kind::PreferredLocation),
    ];
    let others = [
        ("due.28953385", Kind::DueCount),
        ("due.28953385.1", Kind::DueEntry),
        ("lifetimes.482556.kept", Kind::KeptLifetimes),
        ("lifetimes.482556.lost", Kind::LostLifetimes),
        ("signin.places", Kind::SignInPlaces),
        ("signin.999", Kind::SignIn),
        ("used.2.piq333n3rdsr6vutmtop63r6br2hincckxnn4fc4pcxxqrgtb4ba", Kind::UsedSignIn),
        ("invitation.places", Kind::InvitationPlaces),
        ("invitation.0", Kind::Invitation),
        ("signin_used.28953385.piq333n3rdsr6vutmtop63r6br2hincckxnn4fc4pcxxqrgtb4ba", Kind::SignInUsed),
        ("signin_ended.1023", Kind::SignInEnded),
        ("request_state_key", Kind::RequestStateSeal),
        ("add_claim.<entry>.1", Kind::AddClaim),
        ("add_intent.<entry>.1", Kind::AddIntent),
        ("add_outcome.<entry>.1", Kind::AddOutcome),
        ("catalog.kmg3hvash6trscfpbcxaebijhef7zboflini3z2diywxyavvv6xa", Kind::Catalog),
        ("quota.cart", Kind::QuotaWindow),
        ("quota.products.12", Kind::QuotaCount),
        ("quota.products.12.63", Kind::QuotaShare),
        ("client_token", Kind::ClientToken),
        ("refreshes_not_before", Kind::RefreshesNotBefore),
        ("tick", Kind::Tick),
        ("health", Kind::Health),
        ("mirror", Kind::Mirror),
    ];
    for (text, kind) in per_user.into_iter().chain(others) {
        let text = text.replace("<user>", USER).replace("<entry>", ENTRY);
        let key = Key::parse(&text).unwrap_or_else(|| panic!("{text} is no key"));
        assert_eq!((key.kind(), key.to_string()), (kind, text));
    }
    assert_eq!(per_user.len() + others.len(), Kind::ALL.len());
}

#[test]
fn other_texts_are_no_keys() {
    let others = [
        "",
        ".",
        "nothing",
        "grant",
        "grant.",
        "grant.u",
        "grant.u.1",
        "grant.u.1.0",
        "grant.u.1.0.x",
        "grant.u.1.0.0.0",
        "grant.x.1",
        "claim.u.1.0.0",
        "claim.u.1.0.0.",
        "due",
        "due.",
        "due.07",
        "due.+7",
        "due.-7",
        "due.7.",
        "due.7.8.9",
        "due.99999999999999999999",
        "lifetimes.7",
        "lifetimes.7.kept.",
        "signin",
        "quota.coupons",
        "quota.coupons.1",
        "signin.01",
        "tick.",
        "tick.1",
        "Tick",
    ];
    for text in others {
        assert_eq!(Key::parse(text), None, "{text}");
    }
}
