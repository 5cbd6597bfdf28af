package orders

import (
	"errors"

	"github.com/duroxide/duroxide-go/durable"
)

// Shipment books a carrier and hands the parcel over. It returns the tracking
// number.
const Shipment = durable.Orchestration[Parcel, string]("shipment")

// ShipmentID is the instance id of an order's shipment.
func ShipmentID(order string) string { return order + "/shipment" }

func shipment(ctx *durable.Context, p Parcel) (string, error) {
	ctx.SetStatus("booking a carrier")
	booking, err := Book.Call(ctx, p, again())
	if err != nil {
		return "", err
	}
	if booking.Refused != "" {
		return "", errors.New(booking.Refused)
	}
	ctx.SetStatus("handing over " + booking.Tracking)
	if _, err := HandOver.Call(ctx, p, again()); err != nil {
		return "", err
	}
	return booking.Tracking, nil
}
