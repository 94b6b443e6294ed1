package gitsource

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/farshore/farshore/protocol"
)

// Modes of entries of a tree.
const (
	modeFolder    = "40000"
	modeLink      = "120000"
	modeSubmodule = "160000"
)

// commit is what the hub tells of one.
type commit struct {
	tree            plumbing.Hash
	author, subject string
}

func broken(format string, args ...any) error { return faultf(codeBroken, format, args...) }

// commit reads the commit that an object is, or that a tag names.
func (o *objects) commit(hash plumbing.Hash) (commit, plumbing.Hash, error) {
	for range 5 { // a tag may name a tag
		found, ok := o.all[hash]
		if !ok || found.kind != plumbing.CommitObject && found.kind != plumbing.TagObject {
			break
		}
		head, message, _ := bytes.Cut(found.content, []byte("\n\n"))
		fields := map[string]string{}
		for line := range strings.Lines(string(head)) {
			if name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), " "); ok && fields[name] == "" {
				fields[name] = value
			}
		}
		if found.kind == plumbing.TagObject {
			hash = plumbing.NewHash(fields["object"])
			continue
		}
		author, _, _ := strings.Cut(fields["author"], "<")
		subject, _, _ := bytes.Cut(bytes.TrimLeft(message, "\n"), []byte("\n"))
		return commit{tree: plumbing.NewHash(fields["tree"]), author: clean(author, 100), subject: clean(string(subject), 500)}, hash, nil
	}
	return commit{}, hash, broken("%s is no commit", hash)
}

// node is an entry of a tree.
type node struct {
	name, mode string
	hash       plumbing.Hash
}

func (o *objects) tree(hash plumbing.Hash) ([]node, error) {
	found, ok := o.all[hash]
	if !ok || found.kind != plumbing.TreeObject {
		return nil, faultf(codeServer, "the server did not send a folder (%s) of the commit", hash)
	}
	var out []node
	for rest := found.content; len(rest) > 0; {
		mode, after, ok := bytes.Cut(rest, []byte(" "))
		name, after, also := bytes.Cut(after, []byte{0})
		if !ok || !also || len(after) < len(plumbing.Hash{}) {
			return nil, broken("a folder of the commit (%s) is damaged", hash)
		}
		n := node{name: string(name), mode: string(mode), hash: plumbing.Hash(after[:20])}
		if n.name == "" || n.name == "." || n.name == ".." || strings.ContainsAny(n.name, "/\\\x00") || strings.EqualFold(n.name, ".git") {
			return nil, broken("the commit has a file or folder of the name %.80q, which no stack may have: rename it", n.name)
		}
		out = append(out, n)
		rest = after[20:]
	}
	return out, nil
}

// place finds what is at a path: a folder, or a file.
func (o *objects) place(root plumbing.Hash, at string) (node, error) {
	here := node{mode: modeFolder, hash: root}
	if at == "" {
		return here, nil
	}
	for part := range strings.SplitSeq(at, "/") {
		if here.mode != modeFolder {
			return here, broken("there is nothing at the path %q in the commit: %q is no folder", at, here.name)
		}
		all, err := o.tree(here.hash)
		if err != nil {
			return here, err
		}
		i := slices.IndexFunc(all, func(n node) bool { return n.name == part })
		if i < 0 {
			return here, broken("there is nothing at the path %q in the commit: %q is missing", at, part)
		}
		here = all[i]
	}
	switch here.mode {
	case modeSubmodule:
		return here, broken("the path %q is a submodule, which the hub does not follow: make a source of the repository that it names", at)
	case modeLink:
		return here, broken("the path %q is a link: give the path that it leads to", at)
	}
	return here, nil
}

// file is one that belongs to a bundle.
type file struct {
	node
	link bool
}

// files lists what belongs to the bundle of what is at a place, by path in the bundle.
func (o *objects) files(at node) (map[string]file, error) {
	if at.mode != modeFolder {
		// However the file is called there, here it is the bundle's compose file.
		return map[string]file{"compose.yml": {node: at}}, nil
	}
	out := map[string]file{}
	type folder struct {
		path string
		hash plumbing.Hash
	}
	for work := []folder{{"", at.hash}}; len(work) > 0; {
		f := work[len(work)-1]
		work = work[:len(work)-1]
		all, err := o.tree(f.hash)
		if err != nil {
			return nil, err
		}
		for _, n := range all {
			name := path.Join(f.path, n.name)
			if err := protocol.ValidPath(name); err != nil {
				return nil, broken("%v", err)
			}
			switch n.mode {
			case modeFolder:
				work = append(work, folder{name, n.hash})
			case modeSubmodule:
				return nil, broken("%q is a submodule, which the hub does not follow: put its files there, or give a path that it is not below", name)
			default:
				out[name] = file{n, n.mode == modeLink}
			}
		}
		if len(out) > protocol.MaxBundleFiles || len(work) > protocol.MaxBundleFiles {
			return nil, broken("there are more than %d files at the path: give the path of a folder that has the stack alone, or of its compose file", protocol.MaxBundleFiles)
		}
	}
	return out, nil
}

// bundle gives the contents of files, with links inside the bundle followed.
func (o *objects) bundle(files map[string]file) (map[string][]byte, error) {
	out := map[string][]byte{}
	for name := range files {
		content, err := o.content(files, name)
		if err != nil {
			return nil, err
		}
		if bytes.HasPrefix(content, []byte("version https://git-lfs.github.com/spec/")) && len(content) < 1<<10 {
			return nil, broken("%q is kept with Git LFS, of which the hub only gets a pointer: keep the file itself in the repository, or put what is large into an image", name)
		}
		out[name] = content
	}
	return out, nil
}

func (o *objects) content(files map[string]file, name string) ([]byte, error) {
	at := name
	for range 8 {
		f, ok := files[at]
		if !ok {
			return nil, broken("%q is a link to %q, which is no file at or below the path of the stack: put the file itself there", name, at)
		}
		found, ok := o.all[f.hash]
		if !ok || found.kind != plumbing.BlobObject {
			return nil, faultf(codeServer, "the server did not send the file %q", at)
		}
		if !f.link {
			return found.content, nil
		}
		to := string(found.content)
		if path.IsAbs(to) || len(to) > 4096 {
			return nil, broken("%q is a link to %.80q, outside the repository: put the file itself there", name, to)
		}
		if at = path.Join(path.Dir(at), to); at == ".." || strings.HasPrefix(at, "../") {
			return nil, broken("%q is a link that leads out of the path of the stack (%.80q): put the file itself there", name, to)
		}
	}
	return nil, broken("%q is a link to a link to a link, and so on: put the file itself there", name)
}

// missing are the files that were not fetched yet.
func (o *objects) missing(files map[string]file) []plumbing.Hash {
	var out []plumbing.Hash
	for _, f := range files {
		if _, ok := o.all[f.hash]; !ok {
			out = append(out, f.hash)
		}
	}
	slices.SortFunc(out, func(a, b plumbing.Hash) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(out)
}

// named is a commit as versions name it.
func named(id plumbing.Hash, ref string) string { return fmt.Sprintf("git %s %s", id, ref) }
