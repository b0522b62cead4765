//! The ways in which `mutants` breaks the protocol.
//!
//! Each entry has the mutant's name, its file, the text that is replaced, and the
//! replacement. Texts are compared by their tokens, so their layout is free; their
//! brackets are balanced.

use crate::mutation::{Mutation, mutation};

const ATTEMPTS: &str = "grant/attempts.rs";
const CLAIM: &str = "store/claim.rs";
const EXCHANGE: &str = "sign_in/exchange.rs";
const DUE: &str = "grant/due.rs";
const FOLDED: &str = "grant/folded.rs";
const RECORDS: &str = "grant/records.rs";
const LINEAGE: &str = "grant/lineage.rs";
const MAINTENANCE: &str = "service/maintenance.rs";
const OUTSIDE_PAIR: &str = "grant/outside_pair.rs";
const OWNER: &str = "grant/refresh/owner.rs";
const REFRESH: &str = "grant/refresh.rs";
const REFRESHED: &str = "grant/refreshed.rs";
const SERVED: &str = "grant/served.rs";
const STOPWATCH: &str = "stopwatch.rs";
const SWEEP: &str = "service/sweep.rs";
const SIGN_OUT: &str = "sign_in/sign_out.rs";

const FOLDED_TESTS: &str = "grant::folded::tests";
const REFRESH_TESTS: &str = "grant::refresh::tests";

pub(crate) const MUTATIONS: &[Mutation] = &[
    // Claims, leases, intents.
    mutation(
        "the owner does not look again after its claim",
        OWNER,
        "if !records::is_current(self.cx, self.grant)? { return Ok(None); }",
        "let _ = records::is_current(self.cx, self.grant)?;",
    ),
    mutation(
        "every caller that claims a try owns it",
        CLAIM,
        "increment(&deed.records().claim_key(number), 1)? != 1",
        "increment(&deed.records().claim_key(number), 1)? == 0",
    ),
    mutation(
        "a claim whose answer is lost counts as won",
        CLAIM,
        "increment(&deed.records().claim_key(number), 1)? != 1",
        "increment(&deed.records().claim_key(number), 1).unwrap_or(1) != 1",
    ),
    mutation("the intent is not read back", CLAIM, "Some(stored) if stored == value => Ok(())", "_ if !value.is_empty() => Ok(())"),
    mutation("the intent is not stored", CLAIM, "store_intent(cx, deed, number, &intent)?;", "let _ = store_intent::<D>;"),
    mutation(
        "the token is sent although storing the intent fails",
        CLAIM,
        "cx.ports.set(Bucket::Store, key, value)?;",
        "let _ = cx.ports.set(Bucket::Store, key, value);",
    ),
    mutation(
        "a lease lasts 1 s",
        CLAIM,
        "LEASE: Duration = Duration::from_secs(20)",
        "LEASE: Duration = Duration::from_secs(1)",
    ),
    mutation(
        "a reader whose clock is behind ignores a lease",
        CLAIM,
        "lease_until <= now + LEASE + CLOCK_SKEW",
        "lease_until < now + LEASE && CLOCK_SKEW > LEASE",
    ),
    mutation(
        "a claim without an intent is dead at once",
        CLAIM,
        "CLAIM_DEATH: Duration = Duration::from_secs(5)",
        "CLAIM_DEATH: Duration = Duration::from_secs(0)",
    ),
    mutation("the owner never finds that it is too late", CLAIM, "!is_in_time", "is_in_time && false"),
    mutation(
        "a refused token is tried again",
        ATTEMPTS,
        "if tries.iter().any(Try::was_refused)",
        "if tries.iter().any(Try::was_refused) && tries.len() > 64",
    ),
    mutation(
        "a refusal is told while another try is in flight",
        ATTEMPTS,
        "if tries.iter().any(|each| each.is_in_flight(now))",
        "if tries.iter().any(|each| each.is_in_flight(now)) && !tries.iter().any(Try::was_refused)",
    ),
    mutation(
        "a refusal is told without a last look",
        REFRESH,
        "if !current.is(grant)",
        "if !current.is(grant) && false",
    ),
    mutation(
        "tries with a refusal are read only once",
        RECORDS,
        "if tries.iter().any(Try::was_refused) { read_all(cx, user, parent) } else { Ok(tries) }",
        "Ok(tries)",
    ),
    mutation(
        "a pause that began in the future is obeyed",
        ATTEMPTS,
        "now < self.not_before && self.at <= now + CLOCK_SKEW",
        "now < self.not_before",
    ),
    mutation(
        "a claim that a fold covers makes an owner",
        OWNER,
        "if folded::covers(self.cx, user, parent, number)?",
        "if folded::covers(self.cx, user, parent, number)? && false",
    )
    .noticed_by(FOLDED_TESTS, "a_claim_below_a_fold_sends_nothing"),
    mutation("finished tries are never folded", FOLDED, "if last > BLOCK &&", "if last > u64::MAX - BLOCK &&"),
    mutation(
        "finished tries are deleted without a fold",
        FOLDED,
        "cx.ports.set(Bucket::Store, &key, &value)?;
        if cx.ports.read_back(&key)?.as_ref() != Some(&value) {
            return Err(StoreError::Failed);
        }",
        "let _ = (key, value);",
    ),
    mutation(
        "a fold forgets that a try may have spent the token",
        FOLDED,
        "self.may_have_spent |=",
        "self.may_have_spent = false &",
    )
    .noticed_by(FOLDED_TESTS, "a_fold_remembers_a_spent_token_and_keeps_open_tickets"),
    mutation(
        "a fold declares the ticket of an open try dead",
        FOLDED,
        "tries.iter().filter(|each| each.conclusion.is_some())",
        "tries.iter()",
    )
    .noticed_by(FOLDED_TESTS, "a_fold_remembers_a_spent_token_and_keeps_open_tickets"),
    // The meaning of an answer.
    mutation(
        "a transient error counts as a refusal",
        OWNER,
        "(AttemptOutcome::Failed, retry_after)",
        "(AttemptOutcome::Refused, retry_after)",
    ),
    mutation("a lost reply counts as a refusal", OWNER, "(AttemptOutcome::Unknown, None)", "(AttemptOutcome::Refused, None)"),
    mutation(
        "refused credentials count as a refused token",
        OWNER,
        "(AttemptOutcome::ClientRefused, Some(OPERATORS_PAUSE))",
        "(AttemptOutcome::Refused, Some(OPERATORS_PAUSE))",
    ),
    mutation("a lost reply counts as not sent", OWNER, "(AttemptOutcome::Unknown, None)", "(AttemptOutcome::NotSent, None)"),
    mutation(
        "a vanished owner counts as having spent nothing",
        ATTEMPTS,
        "None => self.intent.is_some()",
        "None => false",
    ),
    mutation(
        "a lost reply counts as having spent nothing",
        ATTEMPTS,
        "matches!(self, Self::Failed | Self::Unknown)",
        "matches!(self, Self::Failed)",
    ),
    mutation(
        "a 429 is not noted for other users",
        OWNER,
        "if outcome == AttemptOutcome::Busy { busy::note(self.cx, asked_for); }",
        "",
    )
    .noticed_by(REFRESH_TESTS, "a_429_for_one_user_holds_the_timer_back_for_all_until_its_retry_after"),
    mutation(
        "the timer ignores a 429",
        REFRESH,
        "if self.need == Need::NotDue && let Some(until) = busy::until(self.cx)",
        "if self.need == Need::NotDue && self.deadline.is_zero() && let Some(until) = busy::until(self.cx)",
    ),
    // Saving.
    mutation(
        "a new pair is used without being saved",
        RECORDS,
        "if write(cx, user, ticket, record).is_ok() { return Ok(RecordKept::Stored); } if rescue",
        "if cx.ports.wall_now() > crate::ports::Timestamp::default() { return Ok(RecordKept::Stored); } if rescue",
    ),
    mutation(
        "the mirror is written before the pair is saved",
        OWNER,
        "records::keep(self.cx, self.tries.user, ticket, &record, deadline).map_err(|_| Trouble::Lost)?;",
        r#"let _ = self.cx.ports.set(crate::ports::Bucket::Env, "mirror", b"");
        records::keep(self.cx, self.tries.user, ticket, &record, deadline).map_err(|_| Trouble::Lost)?;"#,
    ),
    mutation(
        "the owner waits before it saves a new pair",
        OWNER,
        "let record = Record::refreshed(self.grant, self.tokens(response, stopwatch));",
        "let record = Record::refreshed(self.grant, self.tokens(response, stopwatch));
        self.cx.ports.sleep(Duration::from_secs(2));",
    ),
    mutation(
        "a pair that cannot be saved is not rescued",
        RECORDS,
        "if rescue(cx, user, ticket, record).is_ok()",
        "if false && rescue(cx, user, ticket, record).is_ok()",
    ),
    mutation(
        "the spent token is used again if saving fails",
        OWNER,
        "records::keep(self.cx, self.tries.user, ticket, &record, deadline).map_err(|_| Trouble::Lost)?;",
        "let _ = deadline;
        if records::write(self.cx, self.tries.user, ticket, &record).is_err() {
            self.record(AttemptOutcome::NotSent, Duration::ZERO);
            return Ok(self.grant.clone());
        }",
    ),
    mutation(
        "a child is stored under its parent's ticket",
        REFRESH,
        "owner.send_once(intent.ticket, self.deadline)",
        "{ let _ = intent; owner.send_once(grant.ticket, self.deadline) }",
    ),
    mutation(
        "a rescued pair is deleted before it is stored",
        MAINTENANCE,
        "cx.ports.set(Bucket::Store, &key, &bytes)?; cx.ports.delete(Bucket::Rescue, &key)?;",
        "cx.ports.delete(Bucket::Rescue, &key)?; cx.ports.set(Bucket::Store, &key, &bytes)?;",
    ),
    mutation(
        "a rescued pair is spent before it is stored",
        OWNER,
        "records::settle(self.cx, user, parent)?;",
        "",
    )
    .noticed_by(REFRESH_TESTS, "a_rescued_pair_is_stored_before_its_token_is_sent"),
    mutation(
        "the rescue bucket is read after the store",
        RECORDS,
        "match read(cx, Bucket::Rescue, &key) {
            Ok(None) | Err(StoreError::NoSuchBucket) => read(cx, Bucket::Store, &key),
            waiting => waiting,
        }",
        "match read(cx, Bucket::Store, &key)? {
            None => match read(cx, Bucket::Rescue, &key) {
                Err(StoreError::NoSuchBucket) => Ok(None),
                other => other,
            },
            stored => Ok(stored),
        }",
    )
    .noticed_by(REFRESH_TESTS, "a_pair_that_is_saved_during_a_look_is_found"),
    mutation(
        "a rescued pair that is saved gets no hint and no entry",
        MAINTENANCE,
        "note_saved(cx, &key)?;",
        "let _ = note_saved;",
    )
    .noticed_by(REFRESH_TESTS, "a_pair_that_was_saved_late_is_listed_and_due"),
    mutation(
        "one user's failure ends the timer's pass",
        MAINTENANCE,
        "Err(failure) => first_failure = first_failure.or(Some(failure))",
        "Err(failure) => return Err(failure)",
    ),
    // Sign-ins and deletions.
    mutation(
        "the newest root is the one in the hint",
        RECORDS,
        "for number in (oldest.saturating_add(1)..=newest).rev()",
        "for number in (oldest.saturating_add(1)..=if hinted.is_some() { 0 } else { newest }).rev()",
    ),
    mutation(
        "the current grant is the one in the hint",
        RECORDS,
        "records(cx, user, root, first..=newest)",
        "records(cx, user, root, first..=first.max(newest.min(1)))",
    ),
    mutation(
        "a reader that finds nothing does not look again",
        RECORDS,
        "if current != Current::Absent { return Ok(current); }",
        "return Ok(current);",
    )
    .noticed_by(REFRESH_TESTS, "a_reader_starts_again_after_two_refreshes_during_its_look"),
    mutation(
        "a deletion does not check that it is the newest root",
        SIGN_OUT,
        "if records::is_newest_root(cx, &key, root)?",
        "if records::is_newest_root(cx, &key, root)? || root.number > 0",
    ),
    mutation(
        "a pending sign-in survives a deletion",
        EXCHANGE,
        "if current.buried() <= pending.history.root && !is_ended",
        "if current.buried() <= pending.history.root || !is_ended",
    ),
    mutation(
        "a sign-in forgets the deletion before it",
        LINEAGE,
        "let buried = before.buried(); Self",
        "let buried = None; Self",
    ),
    mutation(
        "a sign-in looks for deletions before it takes its root",
        EXCHANGE,
        "let root = insist(cx, deadline, || records::take_root(cx, &user))?;
        let before = insist(cx, deadline, || records::current(cx, &user))?;",
        "let before = insist(cx, deadline, || records::current(cx, &user))?;
        let root = insist(cx, deadline, || records::take_root(cx, &user))?;",
    ),
    // Pairs from outside.
    mutation(
        "a pair from outside is adopted at any time",
        OUTSIDE_PAIR,
        "!was_deleted && !is_known && pair.refresh_token.is_some()",
        "let _ = (was_deleted, is_known, grant); pair.refresh_token.is_some()",
    ),
    mutation(
        "a pair from outside brings back a deleted user",
        OUTSIDE_PAIR,
        "Current::Deleted { .. } => false",
        "Current::Deleted { .. } => !is_known",
    ),
    mutation(
        "a process adopts its own pair from the mirror",
        REFRESH,
        "if records::is_current(self.cx, grant)?",
        "if current.is(grant)",
    )
    .noticed_by(REFRESH_TESTS, "a_child_in_the_mirror_is_not_adopted_as_a_new_pair"),
    mutation(
        "a pair from outside is adopted while a child may come",
        REFRESH,
        "if is_open && (!was_open || self.may_have_a_child(grant))",
        "if is_open && false",
    )
    .noticed_by(REFRESH_TESTS, "a_pair_from_outside_waits_one_lease_for_a_child"),
    mutation(
        "a pair that waits to be saved is mirrored",
        OUTSIDE_PAIR,
        "|| !records::is_stored(cx, &user, grant.ticket)",
        "",
    )
    .noticed_by(REFRESH_TESTS, "a_pair_that_waits_to_be_saved_is_not_mirrored"),
    // Clocks.
    mutation(
        "an expired token is handed out",
        LINEAGE,
        "self.expires_at > now + LEAST_LEFT",
        "self.expires_at + Duration::from_secs(60) > now + LEAST_LEFT",
    ),
    mutation(
        "a token is handed out however long its save took",
        OWNER,
        "if now < grant.tokens.expires_at { return Ok(grant); }",
        "if now < grant.tokens.expires_at || grant.parent.is_some() { return Ok(grant); }",
    ),
    mutation(
        "a suspended machine counts a token's life from waking",
        STOPWATCH,
        "by_now.min(self.wall + lifetime)",
        "by_now.max(self.wall)",
    ),
    // The sweep and the due entries.
    mutation(
        "the sweep deletes the tries at the current grant",
        SERVED,
        "is_some_and(|newest| parent < newest)",
        "is_some_and(|newest| parent <= newest)",
    ),
    mutation(
        "the sweep counts an unsaved grant as stored",
        SERVED,
        "Ok(records::is_stored(cx, user, newest).then_some(newest))",
        "Ok(Some(newest))",
    ),
    mutation(
        "the sweep deletes the newest root's record",
        SERVED,
        "Ok(ticket < newest && !is_needed)",
        "{ let _ = is_needed; Ok(ticket < newest) }",
    ),
    mutation(
        "a parent is deleted while its child waits to be saved",
        REFRESHED,
        "if records::sweep_parent(cx, user, parent).is_err()",
        "let parents = records::grant_key(user, parent.ticket);
        if cx.ports.delete(crate::ports::Bucket::Store, &parents).is_err() | records::sweep_parent(cx, user, parent).is_err()",
    ),
    mutation(
        "the sweep adds no missing entry",
        SWEEP,
        "Key::Grant { user, ticket } => mend(cx, user, *ticket)?,",
        "Key::Grant { user, ticket } if ticket.step > 1_000_000 => mend(cx, user, *ticket)?,",
    ),
    mutation(
        "no grant is entered as due",
        DUE,
        "if grant.tokens.refresh_token.is_none()",
        "if grant.tokens.lifetime() > std::time::Duration::ZERO",
    ),
    mutation(
        "due entries that have served are not deleted",
        DUE,
        "cx.ports.delete(Bucket::Store, &entry_key(minute, index))?;",
        "let _ = entry_key(minute, index);",
    ),
];
