package certificate

// Look is what Run does every lookEvery.
func (k *Keeper) Look() { k.warn() }
