// Package oci reads what hub and agent both get of registries: documents of the OCI image specification, and Docker's
// alike. What a registry sends is hostile, so it is read to a bound. It keeps no state.
package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// List reads a JSON array of descriptors one by one, and fails at the first beyond most: "{}," takes many times its bytes
// in memory. It gives nil for null alone; an array that is empty is not nil.
func List[T any](array []byte, most int) ([]T, error) {
	d := json.NewDecoder(bytes.NewReader(array))
	begin, err := d.Token()
	if err != nil || begin == nil {
		return nil, err
	}
	if begin != json.Delim('[') {
		return nil, errors.New("what should be a list is none")
	}
	list := []T{}
	for d.More() {
		if len(list) == most {
			return nil, fmt.Errorf("it names more than %d images or layers", most)
		}
		var one T
		if err := d.Decode(&one); err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}
