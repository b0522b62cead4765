//! The simulated Kroger: issues, rotates, refuses and revokes tokens in the dialects of
//! real authorization servers, and knows the truth about each token.
//!
//! It always answers. The network loses, delays and garbles answers.

use std::collections::HashMap;

use crate::random::Random;
use crate::time::{SECOND, Time};

/// How a server treats a refresh token that was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// It is refused from then on, as at Kroger.
    SingleUse,
    /// It is refused, and all tokens that descend from it are revoked (RFC 9700 § 4.14.2).
    FamilyRevoked,
    /// It is answered again with the same successor, for this long.
    Grace(Time),
    /// It stays valid until it expires.
    NoRotation(Omission),
}

/// How a server that does not rotate fills `refresh_token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Omission {
    /// It repeats the token.
    Repeated,
    /// It leaves the field out.
    LeftOut,
}

/// The true state of a refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenState {
    Valid,
    Spent { at: Time },
    Revoked,
}

/// The beginning of a family of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) user: usize,
    /// When the person was sent to Kroger, or put the pair into the environment.
    pub(crate) began: Time,
    pub(crate) is_from_outside: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct RefreshToken {
    pub(crate) family: usize,
    pub(crate) state: TokenState,
    pub(crate) ends: Time,
    pub(crate) successor: Option<String>,
}

/// Kroger's answer to a code or a refresh token, before the network touches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TokenVerdict {
    Granted {
        access: String,
        refresh: Option<String>,
        expires_in: u64,
    },
    /// The token is spent, revoked or unknown. `revoked`: this very use revoked its family.
    Refused {
        revoked: bool,
    },
    Expired,
}

pub(crate) struct SimulatedKroger {
    pub(crate) dialect: Dialect,
    pub(crate) access_life: Time,
    pub(crate) refresh_life: Option<Time>,
    pub(crate) families: Vec<Origin>,
    pub(crate) refresh: HashMap<String, RefreshToken>,
    access: HashMap<String, Time>,
    codes: HashMap<String, Origin>,
    minted: u64,
}

impl SimulatedKroger {
    pub(crate) fn new(dialect: Dialect, access_life: Time, refresh_life: Option<Time>) -> Self {
        Self {
            dialect,
            access_life,
            refresh_life,
            families: Vec::new(),
            refresh: HashMap::new(),
            access: HashMap::new(),
            codes: HashMap::new(),
            minted: 0,
        }
    }

    /// Lets a person consent. Answers a code that is good once.
    pub(crate) fn agree(&mut self, origin: Origin) -> String {
        let code = format!("code-{}", self.codes.len() + 1);
        self.codes.insert(code.clone(), origin);
        code
    }

    pub(crate) fn exchange(&mut self, code: &str, now: Time) -> TokenVerdict {
        let Some(origin) = self.codes.remove(code) else { return TokenVerdict::Refused { revoked: false } };
        let (access, refresh) = self.sign_in(origin, now);
        TokenVerdict::Granted { access, refresh: Some(refresh), expires_in: self.access_life / SECOND }
    }

    /// Starts a family. Answers its first pair.
    pub(crate) fn sign_in(&mut self, origin: Origin, now: Time) -> (String, String) {
        self.families.push(origin);
        let refresh = self.mint_refresh(self.families.len() - 1, now);
        (self.mint_access(now), refresh)
    }

    fn mint_access(&mut self, now: Time) -> String {
        self.minted += 1;
        let access = format!("A{}", self.minted);
        self.access.insert(access.clone(), now + self.access_life);
        access
    }

    fn mint_refresh(&mut self, family: usize, now: Time) -> String {
        let token = format!("R{}", self.refresh.len() + 1);
        let ends = self.refresh_life.map_or(Time::MAX, |life| now + life);
        self.refresh.insert(token.clone(), RefreshToken { family, state: TokenState::Valid, ends, successor: None });
        token
    }

    pub(crate) fn refresh(&mut self, token: &str, now: Time) -> TokenVerdict {
        let Some(known) = self.refresh.get(token).cloned() else { return TokenVerdict::Refused { revoked: false } };
        if now >= known.ends {
            return TokenVerdict::Expired;
        }
        match (known.state, self.dialect) {
            (TokenState::Valid, Dialect::NoRotation(omission)) => {
                let refresh = (omission == Omission::Repeated).then(|| token.to_owned());
                self.granted(refresh, now)
            }
            (TokenState::Valid, _) => self.rotate(token, known.family, now),
            (TokenState::Spent { at }, Dialect::Grace(grace))
                if now < at + grace && self.is_good(known.successor.as_deref(), now) =>
            {
                self.granted(known.successor, now)
            }
            (TokenState::Spent { .. }, Dialect::FamilyRevoked) => {
                TokenVerdict::Refused { revoked: self.revoke(known.family) }
            }
            (TokenState::Spent { .. } | TokenState::Revoked, _) => TokenVerdict::Refused { revoked: false },
        }
    }

    fn rotate(&mut self, token: &str, family: usize, now: Time) -> TokenVerdict {
        let successor = self.mint_refresh(family, now);
        let spent = self.refresh.get_mut(token).expect("a known token");
        spent.state = TokenState::Spent { at: now };
        spent.successor = Some(successor.clone());
        self.granted(Some(successor), now)
    }

    fn granted(&mut self, refresh: Option<String>, now: Time) -> TokenVerdict {
        TokenVerdict::Granted { access: self.mint_access(now), refresh, expires_in: self.access_life / SECOND }
    }

    /// Revokes a family. Answers whether it had a valid token.
    pub(crate) fn revoke(&mut self, family: usize) -> bool {
        let mut revoked = false;
        for token in self.refresh.values_mut().filter(|token| token.family == family) {
            revoked |= token.state == TokenState::Valid;
            token.state = TokenState::Revoked;
        }
        revoked
    }

    /// Whether Kroger holds this refresh token valid.
    pub(crate) fn is_good(&self, token: Option<&str>, now: Time) -> bool {
        let Some(token) = token.and_then(|token| self.refresh.get(token)) else { return false };
        token.state == TokenState::Valid && now < token.ends
    }

    /// When the access token expires; `None` if Kroger never issued it.
    pub(crate) fn access_ends(&self, access: &str) -> Option<Time> {
        self.access.get(access).copied()
    }

    /// Draws a dialect and lifetimes; Kroger's own dialect is the most frequent.
    pub(crate) fn any(random: &mut Random) -> Self {
        let dialect = match random.range(0, 10) {
            0..=5 => Dialect::SingleUse,
            6 => Dialect::FamilyRevoked,
            7 | 8 => Dialect::Grace(random.pick(&[5, 60, 600]) * SECOND),
            _ => Dialect::NoRotation(random.pick(&[Omission::Repeated, Omission::LeftOut])),
        };
        let access_life = random.pick(&[1_800, 1_800, 1_800, 60, 60, 5]) * SECOND;
        let refresh_life = random.pick(&[None, None, None, Some(7_200 * SECOND), Some(86_400 * SECOND)]);
        Self::new(dialect, access_life, refresh_life)
    }
}
