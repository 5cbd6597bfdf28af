package orders_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/duroxide/duroxide-go/examples/orders"
)

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const good = `{"id":"a","customer":"Ada","account":"private","card":"tok_visa","items":[{"sku":"mug-enamel","quantity":1}],"ship_to":{"street":"Kouter 1","city":"Ghent","country":"BE"}}`
	change := func(old, replacement string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("%s is not in the line", old)
		}
		return strings.Replace(good, old, replacement, 1)
	}
	for name, test := range map[string]struct{ line, want string }{
		"truncated":        {good[:60], "bad JSON: the line ends in the middle"},
		"comma":            {change(`}}`, `},}`), "bad JSON: invalid character '}' looking for beginning of object key string"},
		"two values":       {good + good, "bad JSON: more than one value on the line"},
		"misspelt field":   {change(`"card"`, `"kard"`), `bad JSON: json: unknown field "kard"`},
		"no id":            {change(`"a"`, `""`), "no id"},
		"slash in id":      {change(`"a"`, `"a/b"`), `id "a/b" has a colon, slash or blank`},
		"no customer":      {change(`"Ada"`, `""`), "no customer"},
		"account":          {change(`"private"`, `"club"`), `account "club" is neither private nor business`},
		"no card":          {change(`"tok_visa"`, `""`), "no card"},
		"no items":         {change(`{"sku":"mug-enamel","quantity":1}`, ``), "no items"},
		"unknown product":  {change(`mug-enamel`, `mug`), `unknown product "mug"`},
		"negative":         {change(`:1}`, `:-2}`), "negative quantity -2 of mug-enamel"},
		"zero":             {change(`:1}`, `:0}`), "quantity of mug-enamel is zero"},
		"too many":         {change(`:1}`, `:1001}`), "quantity 1001 of mug-enamel is above 1000"},
		"not a number":     {change(`:1}`, `:"two"}`), "bad JSON: json: cannot unmarshal string into Go struct field Item.items.quantity of type int"},
		"no country":       {change(`"BE"`, `""`), "address needs a street, a city and a country of two letters"},
		"several problems": {change(`mug-enamel","quantity":1`, `mug","quantity":-1`), `unknown product "mug"; negative quantity -1 of mug`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			accepted, refused, err := orders.Parse(strings.NewReader("\n" + test.line + "\n"))
			if err != nil || len(accepted) != 0 || len(refused) != 1 {
				t.Fatalf("accepted %v, refused %v, error %v", accepted, refused, err)
			}
			if refused[0].Line != 2 || refused[0].Reason != test.want {
				t.Errorf("line %d: %s\nwant line 2: %s", refused[0].Line, refused[0].Reason, test.want)
			}
		})
	}
	accepted, refused, err := orders.Parse(strings.NewReader(good + "\n" + good))
	if err != nil || len(accepted) != 1 {
		t.Fatalf("accepted %v, error %v", accepted, err)
	}
	want := []orders.Refusal{{Line: 2, ID: "a", Reason: "duplicate id, first used on line 1"}}
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Error(diff)
	}
}

func TestParseLineTooLong(t *testing.T) {
	t.Parallel()
	_, _, err := orders.Parse(strings.NewReader("\n" + strings.Repeat("x", 2<<20)))
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("error %v", err)
	}
}

// The sample has every fault and every fate.
func TestSample(t *testing.T) {
	t.Parallel()
	accepted, refused, err := orders.Parse(orders.Sample())
	if err != nil {
		t.Fatal(err)
	}
	if len(accepted) != 190 || len(refused) != 10 {
		t.Errorf("%d accepted, %d refused", len(accepted), len(refused))
	}
	for _, want := range []string{"bad JSON", "unknown product", "negative quantity", "duplicate id"} {
		found := false
		for _, r := range refused {
			found = found || strings.Contains(r.Reason, want)
		}
		if !found {
			t.Errorf("no line is refused for: %s", want)
		}
	}
	cards := map[string]bool{}
	for _, o := range accepted {
		cards[o.Card] = true
	}
	for _, card := range []string{"tok_insufficient_funds", "tok_stolen", "tok_bank_slow", "tok_bank_slower", "tok_bank_down"} {
		if !cards[card] {
			t.Errorf("no order pays with %s", card)
		}
	}
}
