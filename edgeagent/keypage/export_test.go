package keypage

// FreshPIN draws a PIN as Run does when it begins, for tests that ask the handler in virtual time.
func (p *Page) FreshPIN() { p.freshPIN() }
