package script_test

import (
	"slices"
	"testing"

	"github.com/farshore/farshore/internal/script"
)

func TestLinesAreReadAsTheKernelDoes(t *testing.T) {
	for text, want := range map[string][]string{
		"#!/bin/sh\necho":              {"/bin/sh", "S", "a b"},
		"#! \t/bin/sh  -e -u \necho":   {"/bin/sh", "-e -u", "S", "a b"},
		"#!/bin/sh":                    {"/bin/sh", "S", "a b"},
		"#!/usr/bin/env python3\n":     {"/usr/bin/env", "python3", "S", "a b"},
		"#!/usr/bin/env -S sh -e\nx\r": {"/usr/bin/env", "-S sh -e", "S", "a b"},
	} {
		l, err := script.Read([]byte(text))
		if got := l.Command("S", []string{"a b"}); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "echo", "#!", "#!\n", "#!sh\n", "#!/bin/sh\r\n", "\x7fELF\x00", "#!/bin/\x00sh\n", " #!/bin/sh\n"} {
		if l, err := script.Read([]byte(text)); err == nil {
			t.Errorf("%q: %+v", text, l)
		}
	}
	if l, _ := script.Read([]byte("#!/usr/bin/env python3\n")); l.Sought() != "python3" {
		t.Errorf("sought: %q", l.Sought())
	}
}
