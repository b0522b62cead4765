//! The ways in which `mutants` breaks the protocol.

/// A text of one file of the core, and what takes its place.
pub(crate) struct Mutation {
    pub(crate) name: &'static str,
    pub(crate) file: &'static str,
    pub(crate) find: &'static str,
    pub(crate) replace: &'static str,
    /// The unit test that notices. None: the simulation does.
    pub(crate) test: Option<&'static str>,
}

impl Mutation {
    /// A rule that another rule stands behind, or that shows in nothing the
    /// simulation judges by: it need not notice, and `test` does.
    const fn noticed_by(self, test: &'static str) -> Self {
        Self { test: Some(test), ..self }
    }
}

const fn mutation(name: &'static str, file: &'static str, find: &'static str, replace: &'static str) -> Mutation {
    Mutation { name, file, find, replace, test: None }
}

pub(crate) const MUTATIONS: &[Mutation] = &[
    // Claims, leases, intents.
    mutation(
        "no second look after the claim",
        "refresh/owner.rs",
        "        if !is_current {\n            return Ok(None);\n        }\n        // No token",
        "        let _ = is_current;\n        // No token",
    ),
    mutation(
        "whoever claims, owns",
        "refresh.rs",
        "self.cx.ports.increment(&grants::claim_key(&self.user, grant.ticket, number), 1)? != 1",
        "self.cx.ports.increment(&grants::claim_key(&self.user, grant.ticket, number), 1)? == 0",
    ),
    mutation(
        "a claim whose answer was lost counts as won",
        "refresh.rs",
        "self.cx.ports.increment(&grants::claim_key(&self.user, grant.ticket, number), 1)? != 1",
        "self.cx.ports.increment(&grants::claim_key(&self.user, grant.ticket, number), 1).unwrap_or(1) != 1",
    ),
    mutation(
        "the intent is not read back",
        "refresh/owner.rs",
        "Ok(Some(stored)) if stored == value => Ok(()),",
        "Ok(_) => Ok(()),",
    ),
    mutation(
        "the intent is not stored",
        "refresh/owner.rs",
        "        self.store_intent(&intent)?;\n",
        "        let _ = &intent;\n",
    ),
    mutation(
        "an intent that could not be stored is sent all the same",
        "refresh/owner.rs",
        "            self.record(Outcome::NotSent, Duration::ZERO);\n            return Err(Trouble::Store);\n        }\n        match",
        "        }\n        match",
    ),
    mutation(
        "the lease is 1 s",
        "attempts.rs",
        "LEASE: Duration = Duration::from_secs(20)",
        "LEASE: Duration = Duration::from_secs(1)",
    ),
    mutation(
        "a lease counts for nobody whose clock is behind",
        "attempts.rs",
        "intent.lease_until <= now + LEASE + CLOCK_SKEW",
        "intent.lease_until < now + LEASE",
    ),
    mutation(
        "a claim without an intent is dead at once",
        "attempts.rs",
        "CLAIM_DEATH: Duration = Duration::from_secs(5)",
        "CLAIM_DEATH: Duration = Duration::from_secs(0)",
    ),
    mutation("an owner never comes too late", "refresh/owner.rs", "        !is_in_time\n", "        is_in_time && false\n"),
    mutation(
        "a refused token is tried again",
        "attempts.rs",
        "    if tries.iter().any(Try::was_refused) {\n",
        "    if tries.iter().any(Try::was_refused) && tries.len() > 64 {\n",
    ),
    mutation(
        "refused while another try is in flight",
        "attempts.rs",
        "    if tries.iter().any(|each| each.is_in_flight(now)) {",
        "    if tries.iter().any(|each| each.is_in_flight(now)) && !tries.iter().any(Try::was_refused) {",
    ),
    mutation(
        "no look again before telling a refusal",
        "refresh.rs",
        "        if !is_still(&current, grant) {\n",
        "        if !is_still(&current, grant) && false {\n",
    ),
    mutation(
        "a refusal is read once",
        "grants.rs",
        "if tries.iter().any(Try::was_refused) { read_tries(cx, user, parent) } else { Ok(tries) }",
        "Ok(tries)",
    ),
    mutation(
        "a pause that began in the future is kept",
        "attempts.rs",
        "now < self.not_before && self.at <= now + CLOCK_SKEW",
        "now < self.not_before",
    ),
    mutation(
        "a claim below a fold is an owner's",
        "refresh/owner.rs",
        "        if folded::covers(self.cx, self.user, self.grant.ticket, self.number)? {\n",
        "        if folded::covers(self.cx, self.user, self.grant.ticket, self.number)? && false {\n",
    )
    .noticed_by("core::folded::tests::who_wins_a_claim_below_a_fold_sends_nothing_under_it"),
    mutation(
        "tries that are over are kept for ever",
        "folded.rs",
        "    if last > BLOCK && ",
        "    if last > u64::MAX - BLOCK && ",
    ),
    mutation(
        "tries are deleted and not folded",
        "folded.rs",
        "        cx.ports.set(Bucket::Store, &key, &value)?;\n        if cx.ports.read_back(&key)?.as_ref() != Some(&value) {\n            return Err(StoreError::Failed);\n        }\n",
        "        let _ = (key, value);\n",
    ),
    mutation(
        "a fold forgets what may have spent the token",
        "folded.rs",
        "        self.may_have_spent |= ",
        "        self.may_have_spent = false & ",
    )
    .noticed_by("core::folded::tests::a_fold_remembers_what_may_have_spent_the_token_and_buries_nothing_that_may_still_come"),
    mutation(
        "a fold buries what may still come",
        "folded.rs",
        "tries.iter().filter(|each| each.attempt.is_some())",
        "tries.iter()",
    )
    .noticed_by("core::folded::tests::a_fold_remembers_what_may_have_spent_the_token_and_buries_nothing_that_may_still_come"),
    // What an answer means.
    mutation(
        "a transient error is a refusal",
        "refresh/owner.rs",
        "(Outcome::Failed, retry_after)",
        "(Outcome::Refused, retry_after)",
    ),
    mutation("a lost reply is a refusal", "refresh/owner.rs", "(Outcome::Unknown, None)", "(Outcome::Refused, None)"),
    mutation(
        "refused credentials are a refused token",
        "refresh/owner.rs",
        "(Outcome::ClientRefused, Some(Duration::from_secs(30)))",
        "(Outcome::Refused, Some(Duration::from_secs(30)))",
    ),
    mutation("a lost reply is told as not sent", "refresh/owner.rs", "(Outcome::Unknown, None)", "(Outcome::NotSent, None)"),
    mutation(
        "a vanished owner spent nothing",
        "attempts.rs",
        "            None => self.intent.is_some(),",
        "            None => false,",
    ),
    mutation(
        "a lost reply spent nothing",
        "attempts.rs",
        "matches!(self, Self::Failed | Self::Unknown)",
        "matches!(self, Self::Failed)",
    ),
    mutation(
        "a 429 slows nobody else",
        "refresh/owner.rs",
        "        if outcome == Outcome::Busy {\n            busy::note(self.cx, asked_for);\n        }\n",
        "",
    )
    .noticed_by("core::refresh::tests::a_429_for_one_user_holds_the_timer_back_for_all_until_its_retry_after"),
    mutation(
        "the timer does not heed a 429",
        "refresh.rs",
        "        if self.need == Need::NotDue\n            && let Some(until) = busy::until(self.cx)\n",
        "        if self.need == Need::NotDue\n            && self.deadline.is_zero()\n            && let Some(until) = busy::until(self.cx)\n",
    ),
    // Saving.
    mutation(
        "the new pair is used and not saved",
        "grants.rs",
        "    if write(cx, user, ticket, record).is_ok() {\n        return Ok(Kept::Stored);\n    }\n    if rescue",
        "    if cx.ports.wall_now() > crate::ports::Timestamp::default() {\n        return Ok(Kept::Stored);\n    }\n    if rescue",
    ),
    mutation(
        "the mirror is written before the pair is saved",
        "refresh/owner.rs",
        "        grants::keep(self.cx, self.user, ticket, &record, deadline).map_err(|_| Trouble::Lost)?;\n",
        "        let _ = self.cx.ports.set(Bucket::Env, \"mirror\", b\"\");\n        grants::keep(self.cx, self.user, ticket, &record, deadline).map_err(|_| Trouble::Lost)?;\n",
    ),
    mutation(
        "a new pair waits before it is saved",
        "refresh/owner.rs",
        "        let record = Record::refreshed(self.grant, self.tokens(response, stopwatch));\n",
        "        let record = Record::refreshed(self.grant, self.tokens(response, stopwatch));\n        self.cx.ports.sleep(Duration::from_secs(2));\n",
    ),
    mutation(
        "a pair that cannot be saved is not rescued",
        "grants.rs",
        "    if rescue(cx, user, ticket, record).is_ok() {",
        "    if false && rescue(cx, user, ticket, record).is_ok() {",
    ),
    mutation(
        "back to the spent token where saving fails",
        "refresh/owner.rs",
        "        grants::keep(self.cx, self.user, ticket, &record, deadline).map_err(|_| Trouble::Lost)?;\n",
        "        let _ = deadline;\n        if grants::write(self.cx, self.user, ticket, &record).is_err() {\n            self.record(Outcome::NotSent, Duration::ZERO);\n            return Ok(self.grant.clone());\n        }\n",
    ),
    mutation(
        "a child takes its parent's ticket",
        "refresh/owner.rs",
        "        Ok(Some(ticket))\n",
        "        let _ = ticket;\n        Ok(Some(self.grant.ticket))\n",
    ),
    mutation(
        "a rescued pair is taken before it is stored",
        "maintenance.rs",
        "        cx.ports.set(Bucket::Store, &key, &bytes)?;\n        cx.ports.delete(Bucket::Rescue, &key)?;\n",
        "        cx.ports.delete(Bucket::Rescue, &key)?;\n        cx.ports.set(Bucket::Store, &key, &bytes)?;\n",
    ),
    mutation(
        "a rescued pair is spent before it is stored",
        "refresh/owner.rs",
        "        grants::settle(self.cx, self.user, self.grant.ticket)?;\n",
        "",
    ),
    mutation(
        "what waits to be saved is read last",
        "grants.rs",
        "    match read(cx, Bucket::Rescue, &key) {\n        Ok(None) | Err(StoreError::NoSuchBucket) => read(cx, Bucket::Store, &key),\n        waiting => waiting,\n    }",
        "    match read(cx, Bucket::Store, &key)? {\n        None => match read(cx, Bucket::Rescue, &key) {\n            Err(StoreError::NoSuchBucket) => Ok(None),\n            other => other,\n        },\n        stored => Ok(stored),\n    }",
    )
    .noticed_by("core::refresh::tests::a_pair_that_is_saved_just_as_it_is_looked_for_is_found"),
    mutation(
        "a saved pair gets no hint and no entry",
        "maintenance.rs",
        "        note_saved(cx, &key)?;\n",
        "        let _ = note_saved;\n",
    )
    .noticed_by("core::refresh::tests::a_pair_that_was_saved_late_is_listed_and_due_like_any_other"),
    mutation(
        "one user's failure ends the timer's pass",
        "maintenance.rs",
        "            Err(failure) => first_failure = first_failure.or(Some(failure)),",
        "            Err(failure) => return Err(failure),",
    ),
    // Sign-ins and deletions.
    mutation(
        "the hint alone says which root is newest",
        "grants.rs",
        "    for number in (hinted.map_or(0, |root| root.number) + 1..=newest).rev() {",
        "    for number in (hinted.map_or(0, |root| root.number) + 1..=if hinted.is_some() { 0 } else { newest }).rev() {",
    ),
    mutation(
        "the hint alone says what is current",
        "grants.rs",
        "records(cx, user, root, first..=newest)",
        "records(cx, user, root, first..=first.max(newest.min(1)))",
    ),
    mutation(
        "a miss is an absence",
        "grants.rs",
        "        if current != Current::Absent {\n            return Ok(current);\n        }",
        "        return Ok(current);",
    )
    .noticed_by("core::refresh::tests::who_is_overtaken_by_two_refreshes_while_reading_starts_again"),
    mutation(
        "a deletion is written once",
        "tokens.rs",
        "        if grants::is_newest_root(cx, &key, root)? {",
        "        if grants::is_newest_root(cx, &key, root)? || root.number > 0 {",
    ),
    mutation(
        "a pending sign-in survives a deletion",
        "authorization.rs",
        "    if current.buried() <= pending.root {",
        "    if current.buried() <= pending.root || pending.root.is_none() || pending.root.is_some() {",
    ),
    mutation(
        "a sign-in forgets the deletion before it",
        "lineage.rs",
        "        let buried = before.buried();\n        Self { schema_version: SCHEMA_VERSION, user_id, known, buried, event: Event::SignIn",
        "        let buried = None;\n        Self { schema_version: SCHEMA_VERSION, user_id, known, buried, event: Event::SignIn",
    ),
    mutation(
        "a sign-in looks before it takes its root",
        "authorization.rs",
        "    let root = grants::take_root(cx, &user).map_err(|_| spent_for_nothing())?;\n    // A deletion that came before this root ended the sign-in, or will see it.\n    taken(cx, state).map_err(|failure| Failure { retry_after: None, next_step: START_AGAIN.to_owned(), ..failure })?;\n    let before = grants::current(cx, &user).map_err(|_| spent_for_nothing())?;\n",
        "    taken(cx, state)?;\n    let before = grants::current(cx, &user).map_err(|_| spent_for_nothing())?;\n    let root = grants::take_root(cx, &user).map_err(|_| spent_for_nothing())?;\n",
    ),
    // Pairs from outside.
    mutation(
        "the mirror is a source at any time",
        "mirror.rs",
        "            !was_deleted && !is_known && pair.refresh_token.is_some()",
        "            let _ = (was_deleted, is_known, grant);\n            pair.refresh_token.is_some()",
    ),
    mutation(
        "a deleted user comes back from outside",
        "mirror.rs",
        "        Current::Deleted { .. } => false,",
        "        Current::Deleted { .. } => !is_known,",
    ),
    mutation(
        "a pair of one's own from the mirror is adopted",
        "refresh.rs",
        "        if is_still(&grants::current(self.cx, &self.user)?, grant) {\n",
        "        if is_still(&current, grant) {\n",
    )
    .noticed_by("core::refresh::tests::a_child_that_is_found_in_the_mirror_before_it_is_found_in_the_store_is_no_strangers"),
    mutation(
        "a pair from outside takes the place of what may come",
        "refresh.rs",
        "        if is_open && (!was_open || self.may_have_a_child(grant)) {",
        "        if is_open && false {",
    )
    .noticed_by("core::refresh::tests::a_pair_from_outside_waits_a_lease_for_the_child_that_may_still_come"),
    mutation(
        "a pair that waits to be saved is mirrored",
        "mirror.rs",
        " || !grants::is_stored(cx, &user, grant.ticket) {",
        " {",
    )
    .noticed_by("core::refresh::tests::a_pair_that_waits_to_be_saved_is_not_mirrored"),
    // Clocks.
    mutation(
        "an expired token is handed out",
        "lineage.rs",
        "        self.expires_at > now + LEAST_LEFT",
        "        self.expires_at + Duration::from_secs(60) > now + LEAST_LEFT",
    ),
    mutation(
        "a token is handed out however long its save took",
        "refresh/owner.rs",
        "        if now < grant.tokens.expires_at {\n            return Ok(grant);\n        }\n        Err",
        "        if now < grant.tokens.expires_at || grant.parent.is_some() {\n            return Ok(grant);\n        }\n        Err",
    ),
    mutation(
        "a suspended machine's token counts from its waking",
        "stopwatch.rs",
        "        by_now.min(self.wall + lifetime)",
        "        by_now.max(self.wall)",
    ),
    // Sweeping, and finding what is due.
    mutation(
        "the sweep deletes the tries at the current grant",
        "sweep.rs",
        "is_some_and(|(ticket, newest)| ticket < newest))",
        "is_some_and(|(ticket, newest)| ticket <= newest))",
    ),
    mutation(
        "the sweep goes by what is not stored yet",
        "sweep.rs",
        "    Ok(grants::is_stored(cx, &user, newest).then_some((ticket, newest)))",
        "    Ok(Some((ticket, newest)))",
    ),
    mutation(
        "the sweep deletes the newest root's record",
        "sweep.rs",
        "    Ok(ticket < newest && !is_needed)",
        "    let _ = is_needed;\n    Ok(ticket < newest)",
    ),
    mutation(
        "a parent is deleted while its child waits to be saved",
        "maintenance.rs",
        "    if grants::sweep_parent(cx, user, parent).is_err() {",
        "    let parents = grants::grant_key(user, parent.ticket);\n    if cx.ports.delete(Bucket::Store, &parents).is_err() | grants::sweep_parent(cx, user, parent).is_err() {",
    ),
    mutation(
        "the sweep mends nothing",
        "sweep.rs",
        "        Some((user, ticket)) => mend(cx, &user, ticket)?,\n",
        "        Some((user, ticket)) if key.is_empty() => mend(cx, &user, ticket)?,\n        Some(_) => None,\n",
    ),
    mutation(
        "nothing is entered as due",
        "due.rs",
        "    if grant.tokens.refresh_token.is_none() {\n        return;\n    }",
        "    if grant.tokens.lifetime() > std::time::Duration::ZERO {\n        return;\n    }",
    ),
];
