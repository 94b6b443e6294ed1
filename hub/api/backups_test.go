package api_test

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farshore/farshore/hub/api/resource"
	"github.com/farshore/farshore/hub/backup"
)

const secret = "a passphrase for backups"

// read opens a backup.
func readBackup(t *testing.T, r io.Reader, passphrase string) (backup.Manifest, error) {
	t.Helper()
	key, err := backup.PassphraseKey(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return backup.Check(t.Context(), r, key)
}

func TestBackupIsMadeAndTaken(t *testing.T) {
	w := newWorld(t)
	resp := w.request(http.MethodPost, "/backup", resource.BackupLock{Passphrase: secret})
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.ContentLength != int64(len(raw)) {
		t.Fatalf("%d %v: %d bytes of %d", resp.StatusCode, err, len(raw), resp.ContentLength)
	}
	if name := resp.Header.Get("Content-Disposition"); !strings.HasSuffix(name, `.age"`) {
		t.Errorf("its name is %s", name)
	}
	m, err := readBackup(t, bytes.NewReader(raw), secret)
	if err != nil || m.Schema == 0 || len(m.Files) < 4 || m.Fingerprint == "" {
		t.Errorf("it holds %+v, %v", m, err)
	}
	for name, l := range map[string]resource.BackupLock{
		"too short": {Passphrase: "elevenchars"}, "nothing": {}, "both": {Passphrase: secret, Recipients: []string{"age1x"}},
		"no key": {Recipients: []string{"age1x"}}, "a private key": {Recipients: []string{"AGE-SECRET-KEY-1QQQQ"}},
	} {
		resp := w.request(http.MethodPost, "/backup", l)
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusUnprocessableEntity || bytes.Contains(answer, []byte("elevenchars")) || bytes.Contains(answer, []byte("QQQQ")) {
			t.Errorf("%s: %d %s", name, resp.StatusCode, answer)
		}
	}
	answer := w.request(http.MethodGet, "/audit", nil)
	defer answer.Body.Close()
	trail, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(trail, []byte(`backup.make`)) || bytes.Contains(trail, []byte(secret)) {
		t.Errorf("the trail says %s", trail)
	}
}

func TestPlanOfBackupsIsSetAndFollowed(t *testing.T) {
	w := newWorld(t)
	folder := t.TempDir()
	plan := resource.BackupPlan{Folder: folder, Times: "02:30", Keep: 1, BackupLock: resource.BackupLock{Passphrase: secret}}
	var now resource.Backups
	w.ask(http.MethodPut, "/settings/backup", plan, &now)
	if !now.HasPassphrase || now.Next.IsZero() || len(now.Runs) != 0 {
		t.Errorf("%+v", now)
	}
	var run resource.BackupRun
	for range 2 {
		w.ask(http.MethodPost, "/settings/backup/run", nil, &run)
		if run.Error != "" || run.Size == 0 {
			t.Fatalf("%+v", run)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 || files[0].Name() != run.File {
		t.Fatalf("%v in the folder, %v", files, err)
	}
	f, err := os.Open(filepath.Join(folder, run.File))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := readBackup(t, f, secret); err != nil {
		t.Error(err)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	w.ask(http.MethodPost, "/settings/backup/run", nil, &run)
	if !strings.Contains(run.Error, "is not there") || w.Told("backup.failed") != 1 || w.Told("backup.made") != 2 {
		t.Errorf("without its folder: %+v", run)
	}
	w.ask(http.MethodGet, "/settings/backup", nil, &now)
	if len(now.Runs) != 3 || now.LastSuccess.IsZero() {
		t.Errorf("%+v", now)
	}
	resp, err := w.server.Client().Get(w.server.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	metrics, err := io.ReadAll(resp.Body)
	if err != nil || !bytes.Contains(metrics, []byte("farshore_backup_last_success_timestamp_seconds 1.")) {
		t.Errorf("metrics: %v", err)
	}
	resp = w.request(http.MethodPut, "/settings/backup", resource.BackupPlan{Folder: "relative", Times: "02:30", Keep: 1})
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a folder that cannot be used: %d", resp.StatusCode)
	}
}
