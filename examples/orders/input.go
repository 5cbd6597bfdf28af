package orders

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

//go:embed orders.jsonl
var sample string

// Sample returns the 200 lines of orders that come with the package. Some are
// faulty.
func Sample() io.Reader { return strings.NewReader(sample) }

// Refusal is an input line that is no order.
type Refusal struct {
	// Line is its number, from 1.
	Line int
	// ID is the order's id if one could be read.
	ID string
	// Reason says what is wrong, all of it.
	Reason string
}

// maxLine bounds a line of input.
const maxLine = 1 << 20

// Parse reads orders, one JSON object a line. A faulty line is refused with its
// number and reason and does not stop the others; blank lines are skipped. The
// error is about reading only.
func Parse(r io.Reader) (good []Order, refused []Refusal, err error) {
	products := Catalogue()
	first := map[string]int{} // the line of each id
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 64*1024), maxLine)
	line := 0
	for in.Scan() {
		line++
		text := bytes.TrimSpace(in.Bytes())
		if len(text) == 0 {
			continue
		}
		order, err := decode(text)
		if err == nil {
			err = check(order, products)
		}
		// Also a faulty line takes its id: which of two is meant is not ours
		// to guess.
		if earlier, ok := first[order.ID]; ok {
			err = errors.Join(err, fmt.Errorf("duplicate id, first used on line %d", earlier))
		} else if order.ID != "" {
			first[order.ID] = line
		}
		if err != nil {
			reason := strings.ReplaceAll(err.Error(), "\n", "; ")
			refused = append(refused, Refusal{Line: line, ID: order.ID, Reason: reason})
			continue
		}
		good = append(good, order)
	}
	if err := in.Err(); err != nil {
		return nil, nil, fmt.Errorf("line %d: %w", line+1, err)
	}
	return good, refused, nil
}

// decode reads one object. A misspelt field is an error, because what it was
// meant to say would be lost.
func decode(text []byte) (Order, error) {
	var order Order
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&order); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return order, errors.New("bad JSON: the line ends in the middle")
		}
		return order, fmt.Errorf("bad JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return order, errors.New("bad JSON: more than one value on the line")
	}
	return order, nil
}

// check returns everything that is wrong with an order.
func check(o Order, products map[string]Product) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	switch {
	case o.ID == "":
		bad("no id")
	case strings.ContainsAny(o.ID, ":/ \t"):
		bad("id %q has a colon, slash or blank", o.ID)
	}
	if o.Customer == "" {
		bad("no customer")
	}
	if !slices.Contains([]string{"private", "business"}, o.Account) {
		bad("account %q is neither private nor business", o.Account)
	}
	if o.Card == "" {
		bad("no card")
	}
	if len(o.Items) == 0 {
		bad("no items")
	}
	for _, item := range o.Items {
		if _, ok := products[item.SKU]; !ok {
			bad("unknown product %q", item.SKU)
		}
		switch {
		case item.Quantity < 0:
			bad("negative quantity %d of %s", item.Quantity, item.SKU)
		case item.Quantity == 0:
			bad("quantity of %s is zero", item.SKU)
		case item.Quantity > 1000:
			bad("quantity %d of %s is above 1000", item.Quantity, item.SKU)
		}
	}
	if o.ShipTo.Street == "" || o.ShipTo.City == "" || len(o.ShipTo.Country) != 2 {
		bad("address needs a street, a city and a country of two letters")
	}
	return errors.Join(errs...)
}
