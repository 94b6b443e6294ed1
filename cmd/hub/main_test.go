package main

import (
	"testing"

	"github.com/farshore/farshore/internal/program"
)

func TestTheSampleConfigurationIsComplete(t *testing.T) {
	var s settings
	if err := program.CheckSample(s.flags("serve"), "../../deploy/hub.yaml"); err != nil {
		t.Error(err)
	}
}
