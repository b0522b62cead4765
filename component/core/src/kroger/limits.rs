//! What Kroger counts, and how many calls of each kind the app may make. Counts nothing.

/// What Kroger counts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Products,
    Cart,
    Identity,
    Locations,
    Chains,
    Departments,
}

/// How many calls a window has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub products: u32,
    pub cart: u32,
    pub identity: u32,
    pub locations: u32,
    pub chains: u32,
    pub departments: u32,
    /// Of `products` and of `cart`.
    pub reserve_percent: u32,
}

impl Endpoint {
    pub const ALL: [Self; 6] =
        [Self::Products, Self::Cart, Self::Identity, Self::Locations, Self::Chains, Self::Departments];

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
    pub fn of(&self, endpoint: Endpoint) -> u64 {
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

    pub fn reserve(&self, endpoint: Endpoint) -> u64 {
        match endpoint {
            Endpoint::Products | Endpoint::Cart => self.of(endpoint) * u64::from(self.reserve_percent) / 100,
            Endpoint::Identity | Endpoint::Locations | Endpoint::Chains | Endpoint::Departments => 0,
        }
    }
}
