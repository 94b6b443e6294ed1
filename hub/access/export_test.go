package access

// Cheap makes new password hashes cost little, so that tests of everything else are quick.
func Cheap(a *Access) { a.hasher.cost = phc{time: 1, memory: 64, threads: 1} }
