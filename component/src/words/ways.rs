//! What a face tells its callers to do, in its own names.

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

/// The wrong settings for a grant that another app or server gave.
pub(crate) const OF_ANOTHER_APP: &str =
    "it is of another app or server: run with the settings that it was made with, or with another KROGER_STORE";
