package protocol

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
)

// ErrBadSignature is wrapped where a signature does not fit.
var ErrBadSignature = errors.New("signature does not fit")

// ErrReplayed is wrapped where an order is not newer than the last accepted one.
var ErrReplayed = errors.New("order was seen before")

// Orders is everything the hub can make a device do. One signature of the hub key covers device id, epoch, number
// and body, so that nothing between hub and device can make, change, repeat or redirect an order.
type Orders struct {
	// Epoch of the hub's identity; grows when a hub is restored from a backup.
	Epoch uint64 `cbor:"1,keyasint"`
	// Seq grows from order to order of one device within an epoch. It is the hub's clock in microseconds, or one
	// more than the last where the clock stood or went back.
	Seq uint64 `cbor:"2,keyasint"`
	// Body is an encoded OrderBody.
	Body []byte `cbor:"3,keyasint"`
	// Sig is an Ed25519 signature (64 bytes) by the hub key over the domain-separated content, see SignOrders.
	Sig []byte `cbor:"4,keyasint"`
}

// OrderBody is the content of Orders. Absent parts change nothing.
type OrderBody struct {
	Settings *Settings `cbor:"1,keyasint,omitempty"`
	Desired  *Desired  `cbor:"2,keyasint,omitempty"`
	Commands []Command `cbor:"3,keyasint,omitempty"`
	// Repeal names commands that the hub withdraws: one that has not started is reported as CommandWithdrawn.
	Repeal []CommandID `cbor:"4,keyasint,omitempty"`
	// Tunnel asks for a tunnel. Absent: none is asked for now; one that is open stays. Capability 6.
	Tunnel *TunnelAsk `cbor:"5,keyasint,omitempty"`
	// 6 is kept for a successor hub key.
}

const ordersContext = "farshore orders 1\x00"

func ordersSigned(device DeviceID, o *Orders) []byte {
	b := make([]byte, 0, len(ordersContext)+1+len(device)+16+len(o.Body))
	b = append(b, ordersContext...)
	b = append(b, byte(len(device)))
	b = append(b, device...)
	b = binary.BigEndian.AppendUint64(b, o.Epoch)
	b = binary.BigEndian.AppendUint64(b, o.Seq)
	return append(b, o.Body...)
}

// SignOrders encodes body and signs it for one device. Epoch and seq are as in Orders.
func SignOrders(hub ed25519.PrivateKey, device DeviceID, at OrderMark, body *OrderBody) (*Orders, error) {
	b, err := Marshal(body)
	if err != nil {
		return nil, err
	}
	o := &Orders{Epoch: at.Epoch, Seq: at.Seq, Body: b}
	o.Sig = ed25519.Sign(hub, ordersSigned(device, o))
	return o, nil
}

// OrderMark is the place of an order in a device's sequence.
type OrderMark struct {
	Epoch uint64 `cbor:"1,keyasint,omitempty"`
	Seq   uint64 `cbor:"2,keyasint,omitempty"`
}

// Before reports whether m is older than o.
func (m OrderMark) Before(o OrderMark) bool {
	return m.Epoch < o.Epoch || m.Epoch == o.Epoch && m.Seq < o.Seq
}

// Open verifies o for the device against the hub's public key and the last accepted mark, and returns its body.
// Errors wrap ErrBadSignature, ErrReplayed or ErrMalformed.
func (o *Orders) Open(hub ed25519.PublicKey, device DeviceID, last OrderMark) (*OrderBody, error) {
	if len(o.Sig) != ed25519.SignatureSize || !ed25519.Verify(hub, ordersSigned(device, o), o.Sig) {
		return nil, ErrBadSignature
	}
	if !last.Before(OrderMark{o.Epoch, o.Seq}) {
		return nil, ErrReplayed
	}
	var body OrderBody
	if err := Unmarshal(o.Body, &body); err != nil {
		return nil, err
	}
	return &body, nil
}
