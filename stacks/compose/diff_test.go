package compose

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farshore/farshore/stacks"
)

func TestMaskedDiffSaysThatSecretsChangedAndNotHow(t *testing.T) {
	bundle := func(image, secret string) map[string][]byte {
		return bytesOf(map[string]string{
			"compose.yml": "services:\n  web:\n    image: " + image + "\n    env_file: app.env\n    environment:\n      PASSWORD: " + secret + "\nsecrets: {key: {file: key.pem}}\n",
			"app.env":     "TOKEN=" + secret + "\n", "key.pem": secret + "\n", "page.html": image + "\n", "same.env": "A=hunter0\n",
		})
	}
	from, to := bundle("x:1", "hunter1"), bundle("x:2", "hunter2")
	got := MaskedDiff(from, to)
	want := []stacks.FileDiff{
		{Path: "app.env", Change: stacks.FileChanged, Masked: true},
		{Path: "compose.yml", Change: stacks.FileChanged, Added: 1, Removed: 1},
		{Path: "key.pem", Change: stacks.FileChanged, Masked: true},
		{Path: "page.html", Change: stacks.FileChanged, Added: 1, Removed: 1},
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) {
			t.Fatalf("got %+v", got)
		}
		text := got[i].Text
		if got[i].Text = ""; got[i] != want[i] || strings.Contains(text, "hunter") || (text == "") != want[i].Masked {
			t.Errorf("got %+v %q\nwant %+v", got[i], text, want[i])
		}
	}
	if shown := fmt.Sprint(stacks.Diff(from, to)); !strings.Contains(shown, "-TOKEN=hunter1\n+TOKEN=hunter2\n") {
		t.Errorf("who may see secrets is shown %s", shown)
	}
}
