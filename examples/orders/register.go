package orders

import (
	"errors"

	"github.com/duroxide/duroxide-go/durable"
)

// Register adds the workflow with its activities to a registry.
func Register(reg *durable.Registry, deps Deps) error {
	if deps.Ledger == nil {
		return errors.New("orders: Deps.Ledger is nil")
	}
	s := services{deps}
	return reg.Add(
		Checkout.With(checkout),
		Shipment.With(shipment),
		Validate.With(call(s, s.validate)),
		Reserve.With(call(s, s.reserve)),
		Release.With(call(s, s.release)),
		Charge.With(call(s, s.charge)),
		Refund.With(call(s, s.refund)),
		Book.With(call(s, s.book)),
		HandOver.With(call(s, s.handOver)),
	)
}
