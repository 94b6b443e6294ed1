package protocol

import (
	"bytes"
	"crypto/ed25519"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

var update = flag.Bool("update", false, "write golden files that do not exist yet")

// sample is one payload as it was when its golden file was made. Samples of released files are never changed; a new
// field gets a new sample under a new name.
type sample struct {
	name  string
	kind  Kind // 0: not a message by itself
	value any
}

func hashFor(b byte) Hash {
	var h Hash
	for i := range h {
		h[i] = b
	}
	return h
}

func short(b byte) ShortHash { return hashFor(b).Short() }

func samples() []sample {
	return []sample{
		{"hello", KindHello, Hello{
			Capability: 1, BootID: []byte{1, 2, 3, 4, 5, 6, 7, 8}, BootCounter: 12, Desired: short(0xaa),
			Settings: short(0xbb), OrderEpoch: 1, OrderSeq: 1795305600000000, Snapshot: short(0xcc), Version: "0.1.0",
			Mode: ModeStandard, Clock: 1795305600123, Arch: "linux/arm/v7", Wishes: map[string]string{"line": "4"},
		}},
		{"hello-2", KindHello, Hello{
			Capability: 2, BootID: []byte{1, 2, 3, 4, 5, 6, 7, 8}, BootCounter: 12, Version: "v1.2.0", Arch: "linux/arm64",
			Programs: []ProgramFact{{Name: ProgramAgent, Hash: short(0x51)}, {Name: ProgramComposer, Hash: short(0x52)}},
			NoUpdate: "The container has no data volume.",
		}},
		{"result-code", KindResult, CommandResult{
			ID: 913_000_000_000_000_002, State: CommandFailed, Text: "v1.3.0 did not reach the hub within 300 s: v1.2.0 is back.",
			Code: UpdateReverted,
		}},
		{"job", 0, Entry{
			EntryKey: EntryKey{Kind: EntryJob, ID: 9}, Version: 2, Name: "nightly",
			Files: []File{{Path: JobScript, Hash: hashFor(0x11), Size: 300}}, Env: map[string]string{"SITE": "oslo"},
			Job: &Job{
				Schedule: JobSchedule{Cron: "0 2 * * *", Zone: "Europe/Oslo", Jitter: 600, Start: 1795305600, End: 1826841600},
				Container: &JobContainer{
					Image: "acme/backup:2", Pull: PullAlways, Network: "none", CPUs: 500, Memory: 64 << 20,
					Mounts: []JobMount{{Source: "/srv/data", Target: "/data", ReadOnly: true}},
				},
				Args: []string{"--full"}, Dir: "/data", User: "1000", Timeout: 900, Retries: 2, RetryDelay: 30,
				Overlap: OverlapKill, Missed: 1, Output: OutputAlways, OutputCap: 4096,
			},
		}},
		{"job-run", KindJobRun, JobRun{
			ID: 41, Job: 9, Version: 2, Due: 1795305600, State: JobDone, Started: 1795305600_250, Took: 1800,
			Stdout: &JobStream{Size: 312, Kept: 312},
		}},
		{"job-run-failed", KindJobRun, JobRun{
			ID: 42, Job: 9, Version: 2, Due: 1795305700, State: JobFailed, Attempt: 3, Code: 2, Signal: "SIGSEGV", Started: 1795305700_250,
			Took: 90_000, Text: "It exited with code 2.", Stderr: &JobStream{Size: 1 << 30, Kept: 1 << 20, Follow: 4096},
			Command: 913_000_000_000_000_003, Clock: true,
		}},
		{"job-run-missed", KindJobRun, JobRun{ID: 43, Job: 9, Version: 2, Due: 1795305600, State: JobMissed, Until: 1795392000, Count: 25}},
		{"job-output", KindJobOutput, JobOutput{Run: 42, Stream: StreamStderr, Offset: 1<<30 - 4096, Data: []byte("ready\n"), Attempt: 3, Dropped: true}},
		{"job-commands", 0, OrderBody{Commands: []Command{
			{ID: 913_000_000_000_000_003, Kind: CommandJobRun, NotAfter: 1795392000, Job: &JobAsk{Job: 9}},
			{ID: 913_000_000_000_000_004, Kind: CommandJobCancel, NotAfter: 1795392000, Job: &JobAsk{Run: 42}},
			{ID: 913_000_000_000_000_005, Kind: CommandJobOutput, NotAfter: 1795392000, Job: &JobAsk{Run: 42, Stdout: 100, Stderr: 200, Max: 65536}},
		}}},
		{"update", 0, OrderBody{Commands: []Command{{
			ID: 913_000_000_000_000_002, Kind: CommandUpdate, NotAfter: 1795392000, Update: &Update{
				Release: []byte{0xa0}, Trial: 600, Downgrade: true,
				Programs: []UpdateProgram{{
					Name: ProgramAgent, Hash: hashFor(0x61), Base: hashFor(0x51),
					Parts: []UpdatePart{{Blob: hashFor(0x71), BlobSize: 3000, Size: 4 << 20, BaseFrom: 1 << 20, BaseSize: 8 << 20}},
				}},
			},
		}}}},
		{"release", 0, sampleRelease()},
		{"release-signed", 0, sampleSignedRelease()},
		{"welcome", KindWelcome, Welcome{Capability: 1, Time: 1795305600456, Spread: 20000, Slot: 1500, Version: "0.1.0"}},
		{"snapshot-full", KindSnapshot, SnapshotUpdate{Full: []byte{0xa1, 0x01, 0xa0}, Hash: short(0xdd), At: 1795305600}},
		{"snapshot-patch", KindSnapshot, SnapshotUpdate{Patch: []byte{0x28, 0xb5, 0x2f, 0xfd}, Hash: short(0xee)}},
		{"status", KindStatus, StackStatus{
			Stack: 7, Version: 3, State: StackFailed, Rev: 41, Code: "image-unavailable",
			Detail: "Image acme/pump:9 is not on the device and no registry has it.", Running: 2, At: 1795305600,
		}},
		{"status-3", KindStatus, StackStatus{
			Stack: 7, Version: 3, State: StackFetching, Rev: 42, At: 1795305600, Nonce: 2, Done: 100, Total: 4096,
			Hold: HoldBack, HeldBy: "kari",
		}},
		{"status-again", KindStatus, StackStatus{Stack: 7, Version: 3, State: StackFailed, Rev: 43, Code: "image-unavailable", Again: true}},
		{"entry-3", 0, Entry{
			EntryKey: EntryKey{Kind: EntryStack, ID: 7}, Version: 3, Name: "pump", Verify: 60, Retries: 2, Stay: true,
			Sealed: []byte{1, 2}, Access: []byte{3}, Change: &ChangeRule{
				Windows: []ChangeWindow{{Start: "0 2 * * 6", Minutes: 120, Zone: "Europe/Oslo"}}, Hold: true, FetchLate: true,
			},
		}},
		{"secrets", 0, Secrets{Env: map[string]string{"TOKEN": "s3cret"}}},
		{"registry-access", 0, RegistryAccess{Registries: []RegistryAuth{{Registry: "registry.example:5000", User: "edge", Password: "s3cret"}}}},
		{"result", KindResult, CommandResult{
			ID: 913_000_000_000_000_001, State: CommandDone, Text: "Container pump was restarted.", Started: 1795305600000,
			Ended: 1795305601500, OutputSize: 2048, OutputDropped: 512,
		}},
		{"output", KindOutput, Output{Command: 913_000_000_000_000_001, Offset: 1024, Data: []byte("ready\n")}},
		{"status-spent", KindStatus, StackStatus{Stack: 7, Version: 3, State: StackRunning, Rev: 44, Spent: 1048576}},
		{"usage", KindUsage, Usage{
			Days:  []UsageDay{{Day: 20778, Counts: []UsageCount{{Class: ClassSession, Up: 900, Down: 1100}, {Class: ClassPull, Up: 4000, Down: 1200000}}}},
			Cycle: 20758, Spent: 2100000, Stage: SpendingSaving, Rate: 16000,
		}},
		{"settings-link", 0, Settings{Ping: 3600, Profile: "vessel-windowed", Link: &LinkRules{
			Budget: &Budget{Day: 31, Zone: "Europe/Oslo", Soft: 4 << 20, Hard: 5 << 20, Reserve: 262144, Floor: 21600, DailyPing: true, Lift: &Lift{Cycle: 20758, Extra: 1 << 20}},
			Contact: &Contact{
				Windows: []ContactWindow{{Start: "0 */6 * * *", Seconds: 600, Zone: "Europe/Oslo"}},
				Passes:  []Pass{{Start: 1795305600, Seconds: 480, Bytes: 300000}}, After: AfterSilent,
			},
			Images: ImagesByAgent, Connection: ConnectionBrief,
		}}},
		{"event", KindEvent, DeviceEvent{ID: 5, Kind: "engine-absent", Text: "The container engine does not answer.", At: 1795305600}},
		{"tunnel", KindTunnel, TunnelRefusal{Session: TunnelID{1, 2, 3}, Text: "The container engine does not answer."}},
		{"order-body-tunnel", 0, OrderBody{Tunnel: &TunnelAsk{Session: TunnelID{1, 2, 3}, NotAfter: 1795305720}}},
		{"want", KindWant, Want{Items: []WantItem{{Blob: short(1), Base: short(2), Stream: short(3), Offset: 16384, Max: 65536}}}},
		{"overdue", KindOverdue, Overdue{Since: 1795305000, Reason: "The last capture took too long."}},
		{"order-body-cancel", 0, OrderBody{Commands: []Command{{
			ID: 913_000_000_000_000_006, Kind: CommandJobCancel, NotAfter: 1795392000, Job: &JobAsk{Job: 9},
		}}}},
		{"orders", KindOrders, Orders{Epoch: 1, Seq: 1795305600000001, Body: []byte{0xa0}, Sig: bytes.Repeat([]byte{9}, 64)}},
		{"order-body", 0, OrderBody{
			Settings: &Settings{
				Ping: 1200, Snapshot: 3600, Command: FrequencyPush, Profile: "satellite", Chunk: 4096, ConnectTimeout: 60,
				ExchangeTimeout: 120, KeyExchange: KeyExchangeClassic,
			},
			Desired: &Desired{
				Base: short(0x0a),
				Set: []Entry{{
					EntryKey: EntryKey{EntryStack, 7}, Version: 3, Name: "pump",
					Files: []File{{Path: "compose.yml", Hash: hashFor(0x11), Size: 4096, Mode: 0o600}},
					Env:   map[string]string{"SITE": "oslo"}, Pull: PullAlways, RemoveVolumes: true, Nonce: 2,
				}},
				Remove: []EntryKey{{EntryStack, 4}},
				Hash:   short(0x0b),
			},
			Commands: []Command{{
				ID: 913_000_000_000_000_001, Kind: CommandContainerLogs, NotAfter: 1795392000, Urgent: true, Target: "pump-1",
				Tail: 200, Signal: "SIGHUP", Timeout: 5, Force: true,
			}},
			Repeal: []CommandID{913_000_000_000_000_000},
		}},
		{"chunk", KindChunk, BlobChunk{Blob: short(1), Stream: short(3), Base: short(2), Size: 20000, Offset: 16384, Data: []byte{1, 2, 3}}},
		{"chunk-unknown", KindChunk, BlobChunk{Blob: short(1), Data: []byte{}, Unknown: true}},
		{"error", KindError, Error{Code: CodeHelloWanted, Text: "This hub was restarted.", Kind: KindStatus, RetryAfter: 30}},
		{"knock", 0, Knock{
			Key: bytes.Repeat([]byte{7}, 32), EnrolmentKey: "k3x9", Proof: bytes.Repeat([]byte{8}, 32),
			Facts: Facts{
				Hostname: "gw-12", OS: "Debian GNU/Linux 12", Arch: "arm64", Engine: "docker 20.10.24", Serial: "SN1",
				MachineID: "0f", Version: "0.1.0", Capability: 1, Mode: ModeAsync, Name: "pump-12",
			},
			Labels: map[string]string{"site": "oslo"}, Hold: true,
		}},
		{"signed-knock", 0, SignedKnock{Knock: []byte{0xa0}, Sig: bytes.Repeat([]byte{9}, 64)}},
		{"knock-answer", 0, KnockAnswer{
			State: KnockRefused, Code: CodeKeyExpired, Text: "This edge key has expired: ask for a new one.", Time: 1795305600456,
			RetryAfter: 10800, PairingCode: "7H2K-9QXM",
		}},
		{"snapshot", 0, Snapshot{
			Host: Host{
				Name: "gw-12", OS: "Debian GNU/Linux 12", Kernel: "6.1.0", Arch: "arm64", CPUs: 4, Memory: 4 << 30,
				DiskTotal: 32 << 30, DiskUsed: 41, Booted: 1795000000,
			},
			Engine: Engine{
				State: EngineAbsent, Reason: "The engine does not answer.", Kind: "docker", Version: "20.10.24", API: "1.41",
				Storage: "overlay2", Cgroup: "systemd/2",
			},
			Images: []Image{{ID: hashFor(0x22), Tags: []string{"acme/pump:2"}, Size: 1234567, Created: 1790000000}},
			Containers: []Container{{
				ID: short(0x33), Name: "pump-1", Image: 1, ImageRef: "acme/pump:2", State: ContainerExited,
				Health: HealthUnhealthy, ExitCode: 137, Created: 1794000000, Started: 1794000001, Finished: 1795000000, Restarts: 3,
				Ports:  []Port{{Private: 80, Public: 8080, Proto: "udp", IP: "127.0.0.1"}},
				Labels: map[string]string{"tier": "edge"}, Project: "pump", Service: "pump", Stack: 7,
				Networks: []Endpoint{{Network: "pump_default", IP: "172.18.0.2"}},
				Mounts:   []Mount{{Type: "bind", Source: "/etc/pump", Target: "/etc/pump", ReadOnly: true}},
			}},
			Volumes:  []Volume{{Name: "pump_data", Driver: "nfs", Created: 1794000000, Project: "pump"}},
			Networks: []Network{{ID: short(0x44), Name: "pump_default", Driver: "bridge", Subnets: []string{"172.18.0.0/16"}, Project: "pump"}},
		}},
	}
}

// sampleReleaseKey is a key for golden files alone.
func sampleReleaseKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{0x42}, ed25519.SeedSize))
}

func sampleRelease() Release {
	return Release{Version: "v1.3.0", Created: 1795305600, Programs: []Program{
		{Name: ProgramAgent, OS: "linux", Arch: "arm64", Hash: hashFor(0x61), Size: 11 << 20},
		{Name: ProgramComposer, OS: "linux", Arch: "arm", Hash: hashFor(0x62), Size: 64 << 20},
	}}
}

func sampleSignedRelease() signedRelease {
	raw, err := SignRelease(sampleReleaseKey(), sampleRelease())
	if err != nil {
		panic(err)
	}
	var s signedRelease
	if err := Unmarshal(raw, &s); err != nil {
		panic(err)
	}
	return s
}

// What a released version has written is read for ever, and written the same.
func TestGolden(t *testing.T) {
	for _, s := range samples() {
		t.Run(s.name, func(t *testing.T) {
			path := filepath.Join("testdata", "v1", s.name+".cbor")
			encoded, err := Marshal(s.value)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(path)
			if os.IsNotExist(err) && *update {
				if err := os.WriteFile(path, encoded, 0o644); err != nil {
					t.Fatal(err)
				}
				want = encoded
			} else if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(encoded, want) {
				t.Errorf("encodes to\n%x, the golden file has\n%x", encoded, want)
			}
			back := reflect.New(reflect.TypeOf(s.value))
			if err := Unmarshal(want, back.Interface()); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back.Elem().Interface(), s.value) {
				t.Errorf("decodes to %+v", back.Elem().Interface())
			}
		})
	}
}

// Every golden file has its sample, so that none is silently no longer read; every message kind has a golden file.
func TestGoldenWhole(t *testing.T) {
	have := map[string]bool{}
	kinds := map[Kind]bool{KindFullWanted: true} // has no content
	for _, s := range samples() {
		have[s.name+".cbor"] = true
		kinds[s.kind] = true
	}
	files, err := os.ReadDir(filepath.Join("testdata", "v1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !have[f.Name()] {
			t.Errorf("testdata/v1/%s is read by no test", f.Name())
		}
	}
	for k := range Kind(64) {
		if !strings.HasPrefix(k.String(), "kind ") && !kinds[k] {
			t.Errorf("message %s has no golden file", k)
		}
	}
}

// docs/protocol.md shows each sample in CBOR diagnostic notation (RFC 8949 section 8), as it is on the wire.
func TestDocumented(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "protocol.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples() {
		encoded, err := Marshal(s.value)
		if err != nil {
			t.Fatal(err)
		}
		notation, err := cbor.Diagnose(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(doc, []byte(notation)) {
			t.Errorf("docs/protocol.md lacks the example of %s:\n%s", s.name, notation)
		}
	}
}

// The history in doc.go ends with the capability of this build.
func TestCapabilityHistory(t *testing.T) {
	src, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var last string
	for line := range strings.Lines(string(src)) {
		if rest, ok := strings.CutPrefix(line, "//\t"); ok {
			last = rest
		}
	}
	if !strings.HasPrefix(last, fmt.Sprintf("%d (", Capability)) {
		t.Errorf("the history ends with %q, the constant is %d", last, Capability)
	}
}
