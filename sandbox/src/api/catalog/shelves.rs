//! The table of what the locations sell. Each shelf holds its kinds in every brand and size.
//!
//! All brands are made up, except Kroger's own.

/// The temperature at which a product is kept, in Kroger's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Temperature {
    Ambient,
    Refrigerated,
    Frozen,
}

/// What a price counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SoldBy {
    Unit,
    /// Priced by the pound.
    Weight,
}

/// A shelf. Its products share these fields.
pub(super) struct Shelf {
    pub(super) category: &'static str,
    pub(super) aisle: &'static str,
    pub(super) temperature: Temperature,
    pub(super) sold_by: SoldBy,
    pub(super) brands: &'static [Brand],
    pub(super) kinds: &'static [&'static str],
    /// Each size has its price in cents, for a brand of 100 percent.
    pub(super) sizes: &'static [(&'static str, u32)],
}

/// A brand.
#[derive(Clone, Copy)]
pub(super) struct Brand {
    pub(super) name: &'static str,
    /// The first six digits of its UPCs.
    pub(super) prefix: &'static str,
    /// Its prices, in percent of the shelf's.
    pub(super) percent: u32,
}

const fn brand(name: &'static str, prefix: &'static str, percent: u32) -> Brand {
    Brand { name, prefix, percent }
}

const KROGER: Brand = brand("Kroger", "011110", 100);
const SIMPLE_TRUTH: Brand = brand("Simple Truth Organic", "011111", 145);
const PRIVATE_SELECTION: Brand = brand("Private Selection", "011112", 130);
const MEADOW: Brand = brand("Meadow & Vale", "052100", 120);
const HARBOR: Brand = brand("Harbor Lane", "041870", 135);
const SUNNY: Brand = brand("Sunny Field", "070250", 115);
const BAKER: Brand = brand("Old Mill Bakers", "072940", 125);
const NORTH: Brand = brand("Northpine", "086600", 140);
const BRISK: Brand = brand("Brisk & Clean", "037410", 130);
const FIZZ: Brand = brand("Fizzwell", "049300", 125);
const PAWS: Brand = brand("Happy Paws", "023930", 120);
const FARM: Brand = brand("Heritage Farm", "011113", 95);
const FRESH: Brand = brand("Fresh", "", 100);

use SoldBy::{Unit, Weight};
use Temperature::{Ambient, Frozen, Refrigerated};

#[rustfmt::skip]
macro_rules! shelf {
    ($category:literal, $aisle:literal, $temperature:ident, $sold_by:ident, $brands:expr, $kinds:expr, $sizes:expr) => {
        Shelf { category: $category, aisle: $aisle, temperature: $temperature, sold_by: $sold_by, brands: &$brands, kinds: &$kinds, sizes: &$sizes }
    };
}

/// The first product of the first shelf is `0001111041700`, Kroger's 2% milk of 1 gallon.
#[rustfmt::skip]
pub(super) const SHELVES: [Shelf; 34] = [
    shelf!("Dairy", "35", Refrigerated, Unit, [KROGER, SIMPLE_TRUTH, MEADOW],
        ["2% Reduced Fat Milk", "Vitamin D Whole Milk", "1% Lowfat Milk", "Fat Free Skim Milk", "Chocolate Milk"],
        [("1 gal", 199), ("1/2 gal", 149)]),
    shelf!("Dairy", "35", Refrigerated, Unit, [KROGER, SIMPLE_TRUTH],
        ["Grade A Large Eggs", "Cage Free Large Brown Eggs"], [("12 ct", 229), ("18 ct", 319)]),
    shelf!("Dairy", "36", Refrigerated, Unit, [KROGER, MEADOW],
        ["Salted Butter Sticks", "Unsalted Butter Sticks"], [("16 oz", 399)]),
    shelf!("Dairy", "36", Refrigerated, Unit, [KROGER, SIMPLE_TRUTH, MEADOW],
        ["Plain Greek Yogurt", "Vanilla Greek Yogurt", "Strawberry Yogurt"], [("32 oz", 429), ("5.3 oz", 100)]),
    shelf!("Dairy", "37", Refrigerated, Unit, [KROGER, PRIVATE_SELECTION, MEADOW],
        ["Sharp Cheddar Cheese Block", "Shredded Mozzarella Cheese", "Swiss Cheese Slices"], [("8 oz", 249), ("16 oz", 449)]),
    shelf!("Dairy", "36", Refrigerated, Unit, [SUNNY, SIMPLE_TRUTH],
        ["Unsweetened Almond Milk", "Original Oat Milk", "Soy Milk"], [("64 fl oz", 349)]),
    shelf!("Bakery", "3", Ambient, Unit, [KROGER, BAKER],
        ["White Sandwich Bread", "100% Whole Wheat Bread", "Honey Wheat Bread", "Sourdough Bread"], [("20 oz", 199)]),
    shelf!("Bakery", "3", Ambient, Unit, [KROGER, BAKER],
        ["Plain Bagels", "Hamburger Buns", "Hot Dog Buns", "Flour Tortillas"], [("8 ct", 229)]),
    shelf!("Produce", "1", Ambient, Weight, [FRESH],
        ["Bananas", "Gala Apples", "Honeycrisp Apples", "Russet Potatoes", "Yellow Onions", "Red Seedless Grapes", "Roma Tomatoes", "Lemons by the Pound"],
        [("1 lb", 99)]),
    shelf!("Produce", "1", Refrigerated, Unit, [FRESH],
        ["Hass Avocado", "Cucumber", "Green Bell Pepper", "Garlic Bulb", "Lime", "Iceberg Lettuce"], [("1 ct", 99)]),
    shelf!("Produce", "2", Refrigerated, Unit, [KROGER, SIMPLE_TRUTH],
        ["Baby Spinach", "Spring Mix Salad", "Baby Carrots", "Strawberries", "Blueberries"], [("16 oz", 349)]),
    shelf!("Meat & Seafood", "40", Refrigerated, Weight, [FARM, SIMPLE_TRUTH],
        ["Boneless Skinless Chicken Breasts", "Chicken Thighs", "Whole Chicken"], [("1 lb", 299)]),
    shelf!("Meat & Seafood", "41", Refrigerated, Unit, [KROGER, SIMPLE_TRUTH],
        ["80/20 Ground Beef", "93/7 Lean Ground Beef", "Ground Turkey"], [("1 lb", 549), ("3 lb", 1499)]),
    shelf!("Meat & Seafood", "42", Refrigerated, Weight, [HARBOR],
        ["Atlantic Salmon Fillet", "Raw Shrimp", "Tilapia Fillets"], [("1 lb", 899)]),
    shelf!("Meat & Seafood", "40", Refrigerated, Unit, [KROGER, NORTH],
        ["Hardwood Smoked Bacon", "Honey Ham Slices", "Oven Roasted Turkey Slices"], [("16 oz", 549)]),
    shelf!("Pasta, Sauces, Grain", "9", Ambient, Unit, [KROGER, PRIVATE_SELECTION],
        ["Spaghetti Pasta", "Penne Pasta", "Elbow Macaroni", "Rotini Pasta"], [("16 oz", 125)]),
    shelf!("Pasta, Sauces, Grain", "9", Ambient, Unit, [KROGER, PRIVATE_SELECTION, HARBOR],
        ["Traditional Pasta Sauce", "Marinara Sauce", "Alfredo Sauce"], [("24 oz", 199)]),
    shelf!("Pasta, Sauces, Grain", "10", Ambient, Unit, [KROGER, SUNNY],
        ["Long Grain White Rice", "Brown Rice", "Jasmine Rice"], [("32 oz", 199), ("5 lb", 449)]),
    shelf!("Canned & Packaged", "8", Ambient, Unit, [KROGER, SIMPLE_TRUTH],
        ["Black Beans", "Kidney Beans", "Diced Tomatoes", "Sweet Corn", "Tomato Paste", "Chickpeas"], [("15 oz", 95)]),
    shelf!("Canned & Packaged", "8", Ambient, Unit, [KROGER, HARBOR],
        ["Chunk Light Tuna in Water", "Chicken Noodle Soup", "Tomato Soup", "Chicken Broth"], [("5 oz", 109), ("32 oz", 249)]),
    shelf!("Breakfast", "11", Ambient, Unit, [KROGER, SUNNY],
        ["Toasted Oat Cereal", "Frosted Flakes of Corn", "Raisin Bran Cereal", "Old Fashioned Oats", "Pancake Mix"], [("18 oz", 279)]),
    shelf!("Breakfast", "11", Ambient, Unit, [KROGER, SIMPLE_TRUTH, SUNNY],
        ["Creamy Peanut Butter", "Strawberry Preserves", "Maple Syrup"], [("16 oz", 249)]),
    shelf!("Baking Goods", "12", Ambient, Unit, [KROGER, BAKER],
        ["All Purpose Flour", "Granulated Sugar", "Brown Sugar"], [("4 lb", 279)]),
    shelf!("Baking Goods", "12", Ambient, Unit, [KROGER, PRIVATE_SELECTION],
        ["Iodized Salt", "Ground Black Pepper", "Vanilla Extract", "Ground Cinnamon"], [("4 oz", 229)]),
    shelf!("Condiments", "7", Ambient, Unit, [KROGER, HARBOR],
        ["Tomato Ketchup", "Yellow Mustard", "Mayonnaise", "Ranch Dressing", "Dill Pickle Chips"], [("24 oz", 229)]),
    shelf!("Condiments", "7", Ambient, Unit, [KROGER, PRIVATE_SELECTION],
        ["Extra Virgin Olive Oil", "Vegetable Oil", "Canola Oil"], [("48 fl oz", 599)]),
    shelf!("Snacks", "15", Ambient, Unit, [KROGER, NORTH, SUNNY],
        ["Classic Potato Chips", "Tortilla Chips", "Pretzel Twists", "Mixed Nuts", "Microwave Popcorn"], [("10 oz", 249)]),
    shelf!("Beverages", "18", Ambient, Unit, [KROGER, FIZZ],
        ["Purified Drinking Water", "Cola", "Lemon Lime Soda", "Ginger Ale"], [("16.9 fl oz / 24 pk", 399), ("12 fl oz / 12 pk", 499)]),
    shelf!("Beverages", "19", Ambient, Unit, [KROGER, SIMPLE_TRUTH, NORTH],
        ["Ground Coffee Medium Roast", "Whole Bean Coffee Dark Roast", "Green Tea Bags"], [("12 oz", 649)]),
    shelf!("Beverages", "35", Refrigerated, Unit, [KROGER, SUNNY],
        ["100% Orange Juice", "Apple Juice", "Cranberry Juice"], [("52 fl oz", 329)]),
    shelf!("Beer, Wine & Liquor", "20", Ambient, Unit, [NORTH, HARBOR],
        ["Pale Ale Beer", "Cabernet Sauvignon Red Wine"], [("12 fl oz / 6 pk", 999)]),
    shelf!("Frozen", "30", Frozen, Unit, [KROGER, NORTH],
        ["Pepperoni Pizza", "Vanilla Ice Cream", "Chocolate Ice Cream", "Peas", "Broccoli Florets", "French Fries", "Waffles"], [("16 oz", 349)]),
    shelf!("Cleaning & Household", "25", Ambient, Unit, [KROGER, BRISK],
        ["Paper Towels", "Bath Tissue", "Laundry Detergent", "Dish Soap", "Trash Bags", "All Purpose Cleaner"], [("6 ct", 599)]),
    shelf!("Pet Care", "27", Ambient, Unit, [PAWS],
        ["Adult Dry Dog Food", "Indoor Cat Food", "Clumping Cat Litter"], [("15 lb", 1599)]),
];

/// The price look-up codes of the products without a brand, in the order of the shelves.
pub(super) const PLUS: [u32; 14] = [4011, 4135, 3283, 4072, 4665, 4023, 4087, 4033, 4225, 4062, 4065, 4608, 4048, 4061];

/// What is special about a product at every location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quirk {
    /// It is sold and in stock everywhere, at the same price.
    Steady,
    /// It is temporarily out of stock everywhere.
    OutOfStock,
    /// No location reports a price.
    Unpriced,
    /// No location sells it.
    Withdrawn,
    /// An order may hold two at most.
    AtMostTwo,
    /// It is sold in the location only, without pickup or delivery.
    InStoreOnly,
}

/// The products with a quirk, by description.
pub(super) const QUIRKS: [(&str, Quirk); 7] = [
    ("Kroger 2% Reduced Fat Milk", Quirk::Steady),
    ("Kroger Grade A Large Eggs", Quirk::Steady),
    ("Kroger Vanilla Extract", Quirk::OutOfStock),
    ("Kroger Mixed Nuts", Quirk::Unpriced),
    ("Kroger Tomato Paste", Quirk::Withdrawn),
    ("Kroger Bath Tissue", Quirk::AtMostTwo),
    ("Kroger Hot Dog Buns", Quirk::InStoreOnly),
];
