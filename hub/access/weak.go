package access

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxPassword = 1024 // bytes

// common are words that passwords are made of most often, one a line, the way plainWord writes them.
//
//go:embed common.txt
var common string

// checkName holds the name of an account to the rules.
func checkName(name string) error {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789._@-") != "" {
		return fmt.Errorf("account name %.80q: %w: want 1 to 64 characters a-z 0-9 . _ @ -", name, ErrInvalid)
	}
	if name == System().String() || name == (Principal{}).String() {
		return fmt.Errorf("account name %q: %w: in the audit trail it is the hub's own, or nobody's: take another", name, ErrInvalid)
	}
	return nil
}

// checkNew holds name and new password of an account to the rules. The password is never part of the error.
func (a *Access) checkNew(name, password string) error {
	least := a.Settings().MinPassword
	if err := checkName(name); err != nil {
		return err
	}
	switch {
	case utf8.RuneCountInString(password) < least:
		return fmt.Errorf("password of %q: %w: want at least %d characters", name, ErrInvalid, least)
	case len(password) > maxPassword || !utf8.ValidString(password):
		return fmt.Errorf("password of %q: %w: want text of at most %d bytes", name, ErrInvalid, maxPassword)
	case guessable(name, password):
		return fmt.Errorf("password of %q: %w: it is too easy to guess: use several words that do not belong together", name, ErrInvalid)
	}
	return nil
}

// leastRest is how many characters of a password must be left when all is taken away that everybody tries.
const leastRest = 6

// guessable reports whether little is left of a password without what everybody tries: common words, the account's name,
// and runs of the same or of neighbouring characters.
func guessable(name, password string) bool {
	distinct := map[rune]bool{}
	for _, r := range password {
		distinct[r] = true
	}
	if len(distinct) < 4 {
		return true
	}
	words := append(strings.Fields(common), strings.FieldsFunc(plainWord(name), func(r rune) bool { return !unicode.IsLetter(r) })...)
	words = append(words, plainWord(name))
	slices.SortFunc(words, func(x, y string) int { return len(y) - len(x) })
	rest := plainWord(password)
	for _, w := range words {
		if len(w) >= 4 {
			rest = strings.ReplaceAll(rest, w, " ")
		}
	}
	return len(withoutRuns(rest)) < leastRest
}

// leet are the letters that digits and signs stand for.
var leet = strings.NewReplacer("0", "o", "1", "i", "3", "e", "4", "a", "5", "s", "7", "t", "@", "a", "$", "s", "!", "i", "|", "i", "€", "e")

// plainWord writes a password as the words that it is made of: digits and signs within it stand for letters, those at
// its end for nothing.
func plainWord(text string) string {
	text = strings.TrimRightFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) })
	return leet.Replace(text)
}

// rows are characters in the order in which fingers and alphabets run over them.
var rows = []string{"qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "qsdfghjklm", "zxcvbnm", "yxcvbnm", "abcdefghijklmnopqrstuvwxyz", "1234567890"}

// withoutRuns gives text without what repeats itself, and without characters that follow their neighbour in a row.
func withoutRuns(text string) string {
	var letters []rune
	for _, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			letters = append(letters, r)
		}
	}
	for n := 1; n <= len(letters)/2; n++ { // the same again and again
		if slices.Equal(letters[n:], letters[:len(letters)-n]) {
			letters = letters[:n]
			break
		}
	}
	var out strings.Builder
	for i, r := range letters {
		if i == 0 || !neighbours(letters[i-1], r) {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func neighbours(a, b rune) bool {
	if a == b {
		return true
	}
	for _, row := range rows {
		i, j := strings.IndexRune(row, a), strings.IndexRune(row, b)
		if i >= 0 && j >= 0 && (i-j == 1 || j-i == 1) {
			return true
		}
	}
	return false
}
