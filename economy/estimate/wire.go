package estimate

// What a frame costs on the wire, as it was measured (docs/bench/data.md): MQTT's header with the topic, one TLS record
// for each 16 KiB, one TCP/IP header for each segment, and a bare acknowledgement for each second segment of a run.
const (
	mqttHeader = 22
	tlsRecord  = 16 << 10
	tlsAdds    = 22
	segment    = 1448
	tcpHeader  = 52
	// bareAcks are those of an exchange in which the device works between two frames.
	bareAcks = 2
	// requestCost is one request to a registry over HTTP, with the head of its answer, headers of TLS and TCP included.
	requestCost = 900
	// registryCost is a connection to a registry, with its certificates, and a token where it wants one.
	registryCost = 7_000
)

// frameCost is what a frame of n bytes costs on the wire, beyond its n bytes.
func frameCost(n int) uint64 {
	head := mqttHeader
	if n > 127-mqttHeader {
		head++
	}
	if n > tlsRecord-mqttHeader {
		head++
	}
	return uint64(head) + carryCost(uint64(n+head))
}

// carryCost is what TLS and TCP/IP add to n bytes that travel in one run.
func carryCost(n uint64) uint64 {
	total := n + (n+tlsRecord-1)/tlsRecord*tlsAdds
	segments := (total + segment - 1) / segment
	return total - n + segments*tcpHeader + segments/2*tcpHeader
}
