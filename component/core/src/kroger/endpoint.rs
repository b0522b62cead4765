//! The endpoints whose calls Kroger counts apart.

/// An endpoint of Kroger's API, with a daily quota of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Products,
    Cart,
    Identity,
    Locations,
    Chains,
    Departments,
}

impl Endpoint {
    pub const ALL: [Self; 6] =
        [Self::Products, Self::Cart, Self::Identity, Self::Locations, Self::Chains, Self::Departments];

    /// The endpoint's name in keys and answers.
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
