//! The tables of locations, chains and departments.
//!
//! A *location* is a supermarket: that is Kroger's word. The cities and the chains are real, most
//! of the streets are not.

/// A supermarket.
pub(super) struct Location {
    /// Three digits of the division, then five of the location.
    pub(super) id: &'static str,
    pub(super) chain: &'static str,
    pub(super) vanity: &'static str,
    pub(super) street: &'static str,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) zip: &'static str,
    pub(super) latitude: f64,
    pub(super) longitude: f64,
    pub(super) opening: Opening,
    /// The ids of its departments: two digits each, without a separator.
    pub(super) departments: &'static str,
}

/// When a location is open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Always,
    Long,
    Short,
    /// The location does not report its hours.
    Unreported,
}

/// A chain of supermarkets.
pub(super) struct Chain {
    pub(super) name: &'static str,
    /// The name as people write it.
    pub(super) friendly: &'static str,
    pub(super) domain: &'static str,
    pub(super) divisions: &'static [&'static str],
    pub(super) delivers: bool,
}

/// The id and the name of each department.
pub(super) const DEPARTMENTS: [(&str, &str); 14] = [
    ("01", "Drug & General Merchandise"),
    ("02", "Grocery"),
    ("03", "Meat"),
    ("04", "Produce"),
    ("05", "Deli"),
    ("06", "Bakery"),
    ("07", "Seafood"),
    ("08", "Floral"),
    ("09", "Pharmacy"),
    ("10", "Gas Station"),
    ("11", "Coffee Shop"),
    ("12", "Cheese Shop"),
    ("13", "Pickup"),
    ("14", "Clinic"),
];

const FULL: &str = "010203040506070809101213";
const USUAL: &str = "01020304050609101113";
const SMALL: &str = "0203040506";

#[rustfmt::skip]
pub(super) const CHAINS: [Chain; 8] = [
    Chain { name: "KROGER", friendly: "Kroger", domain: "kroger.com", divisions: &["011", "014", "016", "024", "026", "034"], delivers: true },
    Chain { name: "RALPHS", friendly: "Ralphs", domain: "ralphs.com", divisions: &["703"], delivers: true },
    Chain { name: "KING SOOPERS", friendly: "King Soopers", domain: "kingsoopers.com", divisions: &["620"], delivers: true },
    Chain { name: "FRED MEYER", friendly: "Fred Meyer", domain: "fredmeyer.com", divisions: &["701"], delivers: true },
    Chain { name: "QFC", friendly: "QFC", domain: "qfc.com", divisions: &["705"], delivers: true },
    Chain { name: "FRYS", friendly: "Fry's Food Stores", domain: "frysfood.com", divisions: &["660"], delivers: true },
    Chain { name: "HARRIS TEETER", friendly: "Harris Teeter", domain: "harristeeter.com", divisions: &["097"], delivers: true },
    Chain { name: "FOOD 4 LESS", friendly: "Food 4 Less", domain: "food4less.com", divisions: &["704"], delivers: false },
];

#[rustfmt::skip]
macro_rules! location {
    ($id:literal, $chain:literal, $vanity:literal, $street:literal, $city:literal, $state:literal, $zip:literal, $latitude:literal, $longitude:literal, $opening:ident, $departments:expr) => {
        Location { id: $id, chain: $chain, vanity: $vanity, street: $street, city: $city, state: $state, zip: $zip, latitude: $latitude, longitude: $longitude, opening: Opening::$opening, departments: $departments }
    };
}

#[rustfmt::skip]
pub(super) const LOCATIONS: [Location; 36] = [
    location!("01400376", "KROGER", "Landen", "2900 W. St. Rt. 22 & 3", "Maineville", "OH", "45039", 39.311_088_1, -84.275_116_7, Long, FULL),
    location!("01400943", "KROGER", "Downtown", "100 E Court St", "Cincinnati", "OH", "45202", 39.107_1, -84.512_6, Long, USUAL),
    location!("01400413", "KROGER", "Hyde Park", "3760 Orchard Way", "Cincinnati", "OH", "45208", 39.140_4, -84.437_2, Always, FULL),
    location!("01400441", "KROGER", "Blue Ash", "4100 Hunter's Run Rd", "Cincinnati", "OH", "45242", 39.232_1, -84.378_3, Long, USUAL),
    location!("01400817", "KROGER", "Oakley Corner", "4613 Foundry Ave", "Cincinnati", "OH", "45209", 39.160_2, -84.427_5, Long, FULL),
    location!("01400502", "KROGER", "Mason", "5210 Kings Mill Rd", "Mason", "OH", "45040", 39.360_1, -84.309_9, Long, USUAL),
    location!("01400721", "KROGER", "Loveland", "800 Riverbend Dr", "Loveland", "OH", "45140", 39.268_9, -84.263_8, Short, SMALL),
    location!("01600588", "KROGER", "Short North", "1350 N Arch St", "Columbus", "OH", "43201", 39.990_1, -83.006_2, Long, USUAL),
    location!("01600874", "KROGER", "Dublin", "299 Coffman Green", "Dublin", "OH", "43017", 40.099_2, -83.114_1, Always, FULL),
    location!("01100307", "KROGER", "Midtown Atlanta", "725 Peach Row NE", "Atlanta", "GA", "30308", 33.771_5, -84.365_2, Always, FULL),
    location!("01100412", "KROGER", "Decatur", "2205 Old Rail Rd", "Decatur", "GA", "30033", 33.812_1, -84.281_9, Long, USUAL),
    location!("01100650", "KROGER", "Alpharetta", "41 Milton Commons", "Alpharetta", "GA", "30009", 34.075_4, -84.294_1, Long, FULL),
    location!("02400771", "KROGER", "Broad Ripple", "6200 Canal Walk", "Indianapolis", "IN", "46220", 39.870_7, -86.141_5, Long, USUAL),
    location!("02400902", "KROGER", "Carmel", "1217 Range Line Sq", "Carmel", "IN", "46032", 39.978_4, -86.118_0, Long, FULL),
    location!("02600533", "KROGER", "Music Row", "1804 Eighteenth Ct", "Nashville", "TN", "37203", 36.150_2, -86.790_1, Long, USUAL),
    location!("03400112", "KROGER", "Heights", "1035 Shepherd's Bend", "Houston", "TX", "77008", 29.798_3, -95.410_2, Long, FULL),
    location!("03400318", "KROGER", "Montrose", "3300 Magnolia Blvd", "Houston", "TX", "77006", 29.741_1, -95.392_1, Always, FULL),
    location!("03400560", "KROGER", "Katy", "1712 Prairie Pkwy", "Katy", "TX", "77494", 29.750_2, -95.822_7, Unreported, USUAL),
    location!("70300022", "RALPHS", "Downtown LA", "645 Ninth & Hope Pl", "Los Angeles", "CA", "90015", 34.045_8, -118.259_9, Long, USUAL),
    location!("70300117", "RALPHS", "Westwood", "10860 Bruin Way", "Los Angeles", "CA", "90024", 34.063_1, -118.444_2, Always, FULL),
    location!("70300205", "RALPHS", "Pasadena", "320 Arroyo Vista", "Pasadena", "CA", "91101", 34.146_2, -118.141_8, Long, USUAL),
    location!("70400311", "FOOD 4 LESS", "Hollywood", "5420 Sunset Row", "Los Angeles", "CA", "90027", 34.097_9, -118.308_8, Short, SMALL),
    location!("62000019", "KING SOOPERS", "Capitol Hill", "1155 Ninth Ave E", "Denver", "CO", "80218", 39.731_1, -104.972_0, Long, USUAL),
    location!("62000045", "KING SOOPERS", "Boulder Table Mesa", "3600 Mesa View Dr", "Boulder", "CO", "80305", 39.985_4, -105.250_1, Long, FULL),
    location!("62000088", "KING SOOPERS", "Aurora", "15250 Sand Creek Rd", "Aurora", "CO", "80011", 39.740_0, -104.810_3, Long, USUAL),
    location!("70100109", "FRED MEYER", "Hawthorne", "3805 Thirty-Ninth St SE", "Portland", "OR", "97214", 45.511_8, -122.622_3, Long, FULL),
    location!("70100216", "FRED MEYER", "Burlingame", "7555 Terwilliger Hill", "Portland", "OR", "97219", 45.469_1, -122.681_6, Long, FULL),
    location!("70100660", "FRED MEYER", "Ballard", "915 Canal St NW", "Seattle", "WA", "98107", 47.662_2, -122.368_3, Long, FULL),
    location!("70500831", "QFC", "Broadway Market", "417 Harvard & Broadway", "Seattle", "WA", "98102", 47.623_0, -122.321_4, Always, USUAL),
    location!("70500847", "QFC", "University Village", "2746 Forty-Fifth Pl NE", "Seattle", "WA", "98105", 47.662_5, -122.297_8, Long, USUAL),
    location!("66000041", "FRYS", "Tempe", "554 Mill Pond Rd", "Tempe", "AZ", "85281", 33.414_5, -111.926_2, Long, USUAL),
    location!("66000067", "FRYS", "Scottsdale", "7770 Saguaro Ln", "Scottsdale", "AZ", "85251", 33.494_7, -111.920_8, Always, FULL),
    location!("66000120", "FRYS", "Midtown Phoenix", "4707 Camelback Row", "Phoenix", "AZ", "85016", 33.509_3, -112.033_4, Long, USUAL),
    location!("09700038", "HARRIS TEETER", "Cotswold", "112 Randolph Sq S", "Charlotte", "NC", "28211", 35.179_9, -80.799_4, Long, FULL),
    location!("09700204", "HARRIS TEETER", "Cameron Village", "500 Oberlin Green", "Raleigh", "NC", "27605", 35.790_1, -78.661_5, Long, USUAL),
    location!("09700355", "HARRIS TEETER", "Old Town", "735 Saint Asaph Ct", "Alexandria", "VA", "22314", 38.814_3, -77.046_9, Short, ""),
];
