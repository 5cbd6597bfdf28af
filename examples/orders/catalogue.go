package orders

// Product is what the shop sells.
type Product struct {
	Name  string
	Price Cents
	// Stock is how many of it one order can have.
	Stock int
}

// Catalogue returns the products by SKU.
func Catalogue() map[string]Product {
	return map[string]Product{
		"apron-linen":      {"Linen apron", 38_00, 60},
		"bike-cargo":       {"Cargo bike", 2_490_00, 3},
		"board-oak":        {"Oak cutting board", 54_00, 40},
		"chair-beech":      {"Beech chair", 189_00, 12},
		"coffee-beans":     {"Coffee beans, 1 kg", 24_90, 200},
		"desk-walnut":      {"Walnut desk", 890_00, 5},
		"espresso-machine": {"Espresso machine", 1_190_00, 4},
		"grinder-hand":     {"Hand grinder", 79_00, 25},
		"kettle-steel":     {"Steel kettle", 64_50, 30},
		"lamp-brass":       {"Brass lamp", 129_00, 0}, // sold out
		"mug-enamel":       {"Enamel mug", 12_50, 150},
		"notebook-a5":      {"Notebook A5", 9_80, 300},
		"pan-iron":         {"Cast-iron pan", 84_00, 18},
		"rug-wool":         {"Wool rug", 420_00, 2},
		"teapot-clay":      {"Clay teapot", 45_00, 20},
	}
}

// served are the countries to which the carrier goes.
func served(country string) bool {
	switch country {
	case "AT", "BE", "CH", "DE", "DK", "ES", "FI", "FR", "IE", "IT", "LU", "NL", "NO", "PL", "PT", "SE":
		return true
	}
	return false
}
