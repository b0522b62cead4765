//! The daily limits of Kroger's endpoints. Counts no call.

/// An endpoint whose calls Kroger counts separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    Products,
    Cart,
    Identity,
    Locations,
    Chains,
    Departments,
}

/// The most calls of the app in 24 hours, for each endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) products: u32,
    pub(crate) cart: u32,
    pub(crate) identity: u32,
    pub(crate) locations: u32,
    pub(crate) chains: u32,
    pub(crate) departments: u32,
    /// The part of `products` and of `cart` that is reserved for adding to the cart,
    /// in percent.
    pub(crate) reserve_percent: u32,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 6] =
        [Self::Products, Self::Cart, Self::Identity, Self::Locations, Self::Chains, Self::Departments];

    /// Reads what [`Endpoint::as_str`] wrote.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Products => "products",
            Self::Cart => "cart",
            Self::Identity => "identity",
            Self::Locations => "locations",
            Self::Chains => "chains",
            Self::Departments => "departments",
        }
    }
}

impl Limits {
    /// The most calls to `endpoint`.
    pub(crate) fn of(&self, endpoint: Endpoint) -> u64 {
        let limit = match endpoint {
            Endpoint::Products => self.products,
            Endpoint::Cart => self.cart,
            Endpoint::Identity => self.identity,
            Endpoint::Locations => self.locations,
            Endpoint::Chains => self.chains,
            Endpoint::Departments => self.departments,
        };
        limit.into()
    }

    /// The number of calls that only cart adds may use.
    pub(crate) fn reserve(&self, endpoint: Endpoint) -> u64 {
        match endpoint {
            Endpoint::Products | Endpoint::Cart => self.of(endpoint) * u64::from(self.reserve_percent) / 100,
            Endpoint::Identity | Endpoint::Locations | Endpoint::Chains | Endpoint::Departments => 0,
        }
    }
}
