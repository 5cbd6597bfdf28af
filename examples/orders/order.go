package orders

import (
	"fmt"
	"time"
)

// Order is what a customer sends.
type Order struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	// Account is "private" or "business".
	Account string `json:"account"`
	// Card is the payment service's token for a card.
	Card   string  `json:"card"`
	Items  []Item  `json:"items"`
	ShipTo Address `json:"ship_to"`
}

// Item is one line of an order.
type Item struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// Address is where an order goes.
type Address struct {
	Street  string `json:"street"`
	City    string `json:"city"`
	Country string `json:"country"` // two letters, ISO 3166
}

// Policy holds the rules of the shop. It is part of the input, and so of the
// history: an order keeps the rules that it was started with.
type Policy struct {
	// ApprovalAbove is the amount above which somebody must approve.
	ApprovalAbove Cents `json:"approval_above"`
	// ApprovalWithin is how long an order waits for that.
	ApprovalWithin time.Duration `json:"approval_within"`
}

// DefaultPolicy asks for approval above 1,000.00 EUR, within three days.
func DefaultPolicy() Policy {
	return Policy{ApprovalAbove: 1_000_00, ApprovalWithin: 72 * time.Hour}
}

// Request is the input of [Checkout].
type Request struct {
	Order  Order  `json:"order"`
	Policy Policy `json:"policy"`
}

// Outcome is how an order ended.
type Outcome string

// The outcomes.
const (
	// Completed: charged and shipped.
	Completed Outcome = "completed"
	// Compensated: a step could not be done, and those before it were undone.
	Compensated Outcome = "compensated"
	// Expired: nobody approved in time, and everything was undone.
	Expired Outcome = "expired"
)

// Result is the output of [Checkout].
type Result struct {
	Outcome Outcome `json:"outcome"`
	// Reason says why an order was not completed.
	Reason   string `json:"reason,omitempty"`
	Total    Cents  `json:"total"`
	Tracking string `json:"tracking,omitempty"`
}

// Approval is the message that an order above the limit waits for in its queue
// [ApprovalQueue].
type Approval struct {
	Approved bool   `json:"approved"`
	By       string `json:"by"`
}

// Cents is an amount of money in hundredths of a euro.
type Cents int64

// String returns the amount such as "1,234.50 EUR".
func (c Cents) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	euros := fmt.Sprint(int64(c / 100))
	for i := len(euros) - 3; i > 0; i -= 3 {
		euros = euros[:i] + "," + euros[i:]
	}
	return fmt.Sprintf("%s%s.%02d EUR", sign, euros, c%100)
}
